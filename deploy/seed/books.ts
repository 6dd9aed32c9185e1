/** The books of `npm run seed`: well-known ones, in Korean and English. Some have no copy, so that reservations fail. */
import { readFile } from 'node:fs/promises'

export type Book = { bookid: string; title: string; author: string; isbn: string; copies: number }

const file = new URL('books.tsv', import.meta.url)

export async function readBooks(): Promise<Book[]> {
  const [, ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n')
  return lines.map((line) => {
    const [bookid = '', title = '', author = '', isbn = '', copies] = line.split('\t')
    return { bookid, title, author, isbn, copies: Number(copies) }
  })
}
