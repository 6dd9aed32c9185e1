import { en, type Words } from './en.ts'
import { ko } from './ko.ts'

export const locales = ['ko', 'en'] as const
export type Locale = (typeof locales)[number]
export type { Words }

export const wordsOf: Record<Locale, Words> = { ko, en }

/** @returns the words for a value of an API; the value itself if it is newer than this program. */
export const wordFor = (words: Record<string, string>, value: string): string => words[value] ?? value
