/** A delivery: a CSV file, each line of which is a receipt. Reading it is the dry run: nothing is received. */
import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import iconv from 'iconv-lite'
import { z } from 'zod'
import { idSchema } from './ids.ts'
import { isbnOf } from './isbn.ts'
import { copiesMax } from './receipt.ts'

export const deliveryBytesMax = 5 * 1024 * 1024
export const linesMax = 50_000
/** A line that is longer has a quote that is not closed. */
const lineCharsMax = 10_000
/** Faults shown at most. */
const faultsMax = 200

/** A line without a number is found by its ISBN. */
export type Line = {
  line: number
  bookid: string | undefined
  isbn: string | undefined
  title: string | undefined
  author: string | undefined
  qty: number
}

type FaultKind = 'encoding' | 'header' | 'empty' | 'lines' | 'csv' | 'fields' | 'number' | Column
/** @param line undefined if the fault is of the whole file. */
export type Fault = { kind: FaultKind; line?: number; value?: string }

export type Delivery = {
  /** Of the bytes: it names the file. */
  sha256: string
  lines: Line[]
  copies: number
  faults: Fault[]
  /** Columns that are not read. */
  ignored: string[]
}

const columns = ['bookid', 'isbn', 'title', 'author', 'qty'] as const
type Column = (typeof columns)[number]

const text = z
  .string()
  .max(500)
  .refine((it) => !it.includes('\0'))
const values = {
  bookid: idSchema,
  isbn: z
    .string()
    .transform((it) => isbnOf(it))
    .pipe(z.string()),
  title: text,
  author: text,
  qty: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(copiesMax)),
}

export async function readDelivery(bytes: Uint8Array): Promise<Delivery> {
  const reading = new Reading(hash('sha256', bytes))
  const text = decode(bytes)
  if (text === undefined) reading.fault({ kind: 'encoding' })
  else await reading.read(text)
  return reading.delivery
}

/**
 * Excel in Korea saves CP949. `TextDecoder` names that euc-kr, but the one of Node lacks the syllables that CP949 adds, and turns them
 * into other signs without a fault.
 * @returns undefined if it is neither that nor UTF-8.
 */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    const text = iconv.decode(bytes, 'cp949')
    return text.includes('\uFFFD') ? undefined : text
  }
}

class Reading {
  readonly delivery: Delivery
  #header: (Column | undefined)[] | undefined

  constructor(sha256: string) {
    this.delivery = { sha256, lines: [], copies: 0, faults: [], ignored: [] }
  }

  fault(fault: Fault): void {
    if (this.delivery.faults.length < faultsMax) this.delivery.faults.push(fault)
  }

  async read(text: string): Promise<void> {
    const parser = parse({
      info: true,
      trim: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: lineCharsMax,
      skip_records_with_error: true,
      on_skip: (error) => {
        const { lines } = error as unknown as { lines?: number }
        this.fault({ kind: 'csv', ...(lines !== undefined && { line: lines }) })
      },
    })
    try {
      // In pieces, so that other requests are served meanwhile.
      for await (const read of Readable.from(piecesOf(text)).pipe(parser)) {
        const { record, info } = read as { record: string[]; info: { lines: number } }
        if (!this.#add(record, info.lines)) return
      }
    } catch (error) {
      if (!(error instanceof CsvError)) throw error
      this.fault({ kind: 'csv', line: Number(error.lines) })
    }
    const { lines, faults } = this.delivery
    if (lines.length === 0 && faults.length === 0) this.fault({ kind: 'empty' })
  }

  /** @returns whether to read on. */
  #add(record: string[], line: number): boolean {
    if (!this.#header) return this.#readHeader(record, line)
    if (this.delivery.lines.length >= linesMax) {
      this.fault({ kind: 'lines' })
      return false
    }
    if (record.every((it) => it === '')) return true
    if (record.length !== this.#header.length) this.fault({ kind: 'fields', line })
    else this.#addLine(record, line)
    return true
  }

  #readHeader(record: string[], line: number): boolean {
    const names = record.map((it) => it.toLowerCase())
    const known = names.filter(isColumn)
    const isComplete = known.includes('qty') && (known.includes('bookid') || known.includes('isbn'))
    if (!isComplete || new Set(known).size < known.length) {
      this.fault({ kind: 'header', line })
      return false
    }
    this.#header = names.map((it) => (isColumn(it) ? it : undefined))
    this.delivery.ignored = names.filter((it) => !isColumn(it))
    return true
  }

  #addLine(record: string[], line: number): void {
    const found: Record<string, unknown> = {}
    let isWhole = true
    for (const [i, column] of this.#header!.entries()) {
      const value = record[i]!
      if (column === undefined || (value === '' && column !== 'qty')) continue
      const parsed = values[column].safeParse(value)
      if (parsed.success) found[column] = parsed.data
      else this.fault({ kind: column, line, value })
      isWhole &&= parsed.success
    }
    const { bookid, isbn, title, author, qty } = found as Partial<Line>
    if (isWhole && bookid === undefined && isbn === undefined) this.fault({ kind: 'number', line })
    else if (isWhole) {
      this.delivery.lines.push({ line, bookid, isbn, title, author, qty: qty! })
      this.delivery.copies += qty!
    }
  }
}

const isColumn = (text: string): text is Column => (columns as readonly string[]).includes(text)

const pieceChars = 16 * 1024

function* piecesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += pieceChars) yield text.slice(at, at + pieceChars)
}
