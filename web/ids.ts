/** Ids of books and people, as the APIs accept them. */
import { z } from 'zod'

/** Printable ASCII without spaces. */
export const idSchema = z
  .string()
  .trim()
  .max(128)
  .regex(/^(?!\.{1,2}$)[!-~]+$/)

export const isId = (text: string): boolean => idSchema.safeParse(text).success
