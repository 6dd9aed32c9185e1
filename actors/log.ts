/** One JSON line per event; pretty when a person watches. People's addresses are masked, wherever in a line they stand. */
import pino from 'pino'
import pretty from 'pino-pretty'
import { errorFacts } from './error-facts.ts'
import { maskText } from './mask.ts'

export type Log = pino.Logger

/** @param service stamped on every line. */
export function createLog(service: string, level: string): Log {
  if (process.stdout.isTTY) return prettyLog(service, level)
  return pino(optionsOf(service, level), pino.destination({ dest: 1, sync: true }))
}

/** A log for lines that come by the thousand: `flush` writes them, many at a time. */
export function createBatchLog(service: string, level: string): { log: Log; flush(): void } {
  if (process.stdout.isTTY) return { log: prettyLog(service, level), flush() {} }
  const destination = pino.destination({ dest: 1, sync: true, minLength: batchBytes })
  return { log: pino(optionsOf(service, level), destination), flush: () => destination.flushSync() }
}
/** The most that the stream writes at once. */
const batchBytes = 16 * 1024 - 1

const optionsOf = (service: string, level: string): pino.LoggerOptions => ({
  level,
  base: { service },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
  serializers: { err: (error) => errorFacts(error) },
  hooks: { streamWrite: (line) => oneLine(maskText(line)) },
})

/** JSON leaves these as they are, and many a reader of lines ends one there. */
const oneLine = (line: string): string =>
  line.replaceAll(/[\u0085\u2028\u2029]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`)

const prettyLog = (service: string, level: string): Log =>
  pino(
    optionsOf(service, level),
    pretty({ sync: true, ignore: 'service,pid,hostname', messageFormat: `${service}: {msg}` }),
  )
