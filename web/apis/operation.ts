/** Operations, in short. */
import type { z } from 'zod'
import { pageSchema } from './page.ts'

export const get = <Path extends string, Answer extends z.ZodType>(path: Path, answer: Answer) =>
  ({ method: 'GET', path, answer }) as const

export const remove = <Path extends string, Answer extends z.ZodType>(path: Path, answer: Answer) =>
  ({ method: 'DELETE', path, answer }) as const

export const send = <Path extends string, Body extends z.ZodType, Answer extends z.ZodType>(
  method: 'POST' | 'PUT' | 'PATCH',
  path: Path,
  body: Body,
  answer: Answer,
) => ({ method, path, body, answer }) as const

/** The operation that lists a collection. @param query names of filters. */
export const listOf = <Path extends string, Item extends z.ZodType, const Query extends readonly string[]>(
  path: Path,
  name: string,
  item: Item,
  ...query: Query
) =>
  ({
    method: 'GET',
    path,
    query: [...query, 'limit', 'after'],
    answer: pageSchema(name, item),
  }) as const
