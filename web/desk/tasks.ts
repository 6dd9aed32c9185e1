/** Finds the tasks that a scan names: by a reservation's id or short code, or by a book's ISBN or number. */
import { z } from 'zod'
import type { Apis } from '../apis/apis.ts'
import type { Task, TaskKind } from '../apis/stock.ts'
import { codeOf, endingOf, readCode } from '../code.ts'
import { isId } from '../ids.ts'
import { isbnOf } from '../isbn.ts'
import { type Part, part } from '../part.ts'

export type Found = {
  /** The oldest first. */
  tasks: Task[]
  parts: Part<unknown>[]
}

/** Of one scan. */
const foundMax = 50

const uuid = z.uuid()

/** @returns the id, if the text is that of a reservation. */
export const reservationidOf = (text: string): string | undefined =>
  uuid.safeParse(text).success ? text.toLowerCase() : undefined

export async function findTasks(apis: Apis, kind: TaskKind, scan: string): Promise<Found> {
  const [byId, books] = await Promise.all([part(findByEnding(apis, kind, scan)), part(bookidsOf(apis, scan))])
  if (byId.ok && byId.value.length > 0) return { tasks: byId.value, parts: [] }
  const bookids = books.ok ? books.value : isId(scan) ? [scan] : []
  const byBook = await part(findByBooks(apis, kind, bookids))
  return { tasks: byBook.ok ? byBook.value : [], parts: [byId, books, byBook] }
}

/** By the id of a reservation, or its code. */
export async function findByEnding({ stock }: Apis, kind: TaskKind, scan: string): Promise<Task[]> {
  const reservationid = reservationidOf(scan)
  const code = readCode(scan)
  const ending = reservationid?.slice(-12) ?? (code && endingOf(code))
  if (ending === undefined) return []
  const answer = await stock.call('listTasks', { kind, ending, limit: foundMax })
  const tasks = answer.ok ? answer.body.items : []
  return tasks.filter((it) => it.reservationid === reservationid || codeOf(it.reservationid) === code)
}

async function findByBooks({ stock }: Apis, kind: TaskKind, bookids: string[]): Promise<Task[]> {
  const answers = await Promise.all(
    bookids.map((bookid) => stock.call('listTasks', { kind, bookid, limit: foundMax })),
  )
  return answers.flatMap((it) => (it.ok ? it.body.items : []))
}

/** @returns numbers of the books with this ISBN or number. */
export async function bookidsOf({ reservation }: Apis, scan: string): Promise<string[]> {
  const isbn = isbnOf(scan)
  const answer =
    isbn === undefined ? undefined : await reservation.call('listBooks', { q: isbn, limit: foundMax })
  const books = answer?.ok ? answer.body.items.filter((it) => isbnOf(it.isbn) === isbn) : []
  return [...new Set([...(isId(scan) ? [scan] : []), ...books.map((it) => it.bookid)])]
}
