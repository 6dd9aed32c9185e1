/** One JSON line per event; pretty when a person watches. */
import pino from 'pino'
import pretty from 'pino-pretty'

export type Log = pino.Logger

/** @param service stamped on every line. */
export function createLog(service: string, level: string): Log {
  const options: pino.LoggerOptions = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }
  if (!process.stdout.isTTY) return pino(options, pino.destination({ dest: 1, sync: true }))
  return pino(
    options,
    pretty({ sync: true, ignore: 'service,pid,hostname', messageFormat: `${service}: {msg}` }),
  )
}
