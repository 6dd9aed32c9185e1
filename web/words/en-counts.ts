/** Numbers in English. */
import { numbersIn } from './numbers.ts'

export const { number, say, lasted } = numbersIn('en')

export const copies = (n: number) => (n === 1 ? '1 copy' : say`${n} copies`)
export const people = (n: number) => (n === 1 ? '1 person' : say`${n} people`)
export const days = (n: number) => (n === 1 ? '1 day' : say`${n} days`)
