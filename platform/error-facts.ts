/**
 * The parts of an error that logs and terminals show. Never all of it: libraries keep their arguments in their
 * errors, such as a URL or the arguments of AUTH, and those contain passwords.
 */
import { SetupError } from '../streams/setup.ts'
import { ConfigError } from './config.ts'

/** Helpful members without secrets, of errors from Node and Postgres. */
const members = [
  'code',
  'syscall',
  'address',
  'port',
  'status',
  'slug',
  'severity',
  'detail',
  'hint',
  'where',
  'schema_name',
  'table_name',
  'column_name',
  'constraint_name',
  'routine',
] as const

/** How deep causes are followed. */
const depthMax = 5
const errorsMax = 10

/** For the log: a plain object. */
export function errorFacts(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? withoutLogin(error) : error
  const facts: Record<string, unknown> = {
    type: error.name,
    message: withoutLogin(error.message),
    stack: withoutLogin(error.stack ?? ''),
  }
  const given = error as unknown as Record<string, unknown>
  for (const name of members) {
    const value = given[name]
    if (typeof value === 'string') facts[name] = withoutLogin(value)
    else if (typeof value === 'number') facts[name] = value
  }
  if (depth >= depthMax) return facts
  // The client of a Redis cluster keeps the reason here.
  const cause = error.cause ?? given.lastNodeError
  if (cause) facts.cause = errorFacts(cause, depth + 1)
  if (Array.isArray(given.errors))
    facts.errors = given.errors.slice(0, errorsMax).map((it) => errorFacts(it, depth + 1))
  return facts
}

/** For a terminal: a line per fault, without a stack if the operator can fix it. */
export function linesOf(error: unknown): string {
  if (error instanceof ConfigError) return error.faults.join('\n')
  if (error instanceof SetupError) return error.message
  if (!(error instanceof Error)) return withoutLogin(String(error))
  const { code, detail, hint } = error as { code?: unknown; detail?: unknown; hint?: unknown }
  const more = [code, detail, hint].filter((it) => typeof it === 'string' && !error.message.includes(it))
  return withoutLogin([error.message || error.name, ...more].join('\n  '))
}

/** Removes the user and password from URLs in a text. */
const withoutLogin = (text: string): string =>
  text.includes('://') ? text.replaceAll(/:\/\/(?!\/)[^\s"']{0,500}@/g, '://***@') : text
