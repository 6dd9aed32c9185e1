/**
 * The forms of a dead letter. A letter that Postgres refuses because of its content would hold its partition up for ever
 * (W4), so there is a form for every content.
 *
 *   whole     The entry as it was read.
 *   escaped   The same as ASCII JSON with escapes: Postgres stores neither NUL nor half a surrogate pair, and a database in
 *             another encoding than UTF-8 cannot store every character. It is read back as it was, so it can be redriven.
 *   bare      Only the position and the reason, in ASCII.
 */
import { type Fields, fromFields } from './envelope.ts'

export type Form = 'whole' | 'escaped' | 'bare'
/** In the order in which they are tried. */
export const forms: Form[] = ['whole', 'escaped', 'bare']

/** Of the letters of one commit together, in UTF-16 units; the largest body that is accepted has 65,536 bytes. */
export const contentMax = 8 * 1024 * 1024
const reasonMax = 2_000
/** Of a type and of a subject. */
const nameMax = 200

/** The first field of escaped ones. */
const mark = 'bookreservation:escaped'

type Unwritten = { partition: number; position: string; reason: string; fields: Fields }
/** With what operators look for. */
export type Written = Unwritten & Head

export function writeLetters(letters: Unwritten[], form: Form): Written[] {
  let left = contentMax
  return letters.map(({ partition, position, reason, fields }) => {
    const size = fields.reduce((sum, it) => sum + it.length, 0)
    const why = textOf(reason.slice(0, reasonMax), form)
    const { type, subject } = headOf(fields)
    const at = {
      partition,
      position,
      type: type && textOf(type, form),
      subject: subject && textOf(subject, form),
    }
    if (size > left) return { ...at, reason: `${why} (its content is too large to be kept)`, fields: [] }
    left -= size
    if (form === 'bare') return { ...at, reason: `${why} (its content cannot be kept)`, fields: [] }
    const plain = form === 'whole' && fields[0] !== mark && fields.every(isStorable)
    return { ...at, reason: why, fields: plain ? fields : [mark, toAscii(JSON.stringify(fields))] }
  })
}

/** @returns the fields of a letter as they were read from the stream. */
export function readFields(fields: Fields): Fields {
  if (fields[0] !== mark) return fields
  try {
    return JSON.parse(fields[1]!) as Fields
  } catch {
    return fields
  }
}

type Head = { type: string | null; subject: string | null }

/** @returns the type and the subject of a letter's message, as far as they can be read. */
export function headOf(fields: Fields): Head {
  try {
    const { type, subject } = fromFields(fields)[0] as Record<string, unknown>
    return { type: nameOf(type), subject: nameOf(subject) }
  } catch {
    return { type: null, subject: null }
  }
}

const nameOf = (value: unknown) => (typeof value === 'string' && value ? value.slice(0, nameMax) : null)

const isStorable = (text: string) => !text.includes('\0') && text.isWellFormed()

/** Reasons are for people to read: a symbol replaces what Postgres cannot store. */
const textOf = (text: string, form: Form) =>
  form === 'whole'
    ? text.replaceAll('\0', '\u2400').toWellFormed()
    : toAscii(text.replaceAll('\0', '\\u0000'))

/** Within a JSON text this changes no value. */
const toAscii = (text: string) =>
  text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
