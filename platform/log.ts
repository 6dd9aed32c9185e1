/** One JSON line per event; pretty-printed on a terminal. People's addresses are masked anywhere in a line. */
import pino from 'pino'
import { errorFacts } from './error-facts.ts'
import { type Level, LogBuffer, levels } from './log-buffer.ts'
import { maskText } from './mask.ts'
import { openStdout } from './stdout.ts'

/** Only a terminal loads it: it takes 3 MB. */
const prettyFactory = process.stdout.isTTY ? (await import('pino-pretty')).prettyFactory : undefined

/** `flush` writes what the reader accepts now, without waiting for the end of the event loop's turn. */
export type Log = pino.Logger

/**
 * No line waits for its reader (`log-buffer.ts`).
 * @param service added to every line.
 * @param dropped called for each line that is dropped because the reader is behind.
 */
export function createLog(service: string, level: string, dropped?: (level: Level) => void): Log {
  if (level === 'silent') return pino({ level })
  const buffer = new LogBuffer({
    outlet: openStdout(),
    ...(dropped && { dropped }),
    behind: (lines) => log.warn({ lines }, 'log lines dropped: the reader was behind'),
  })
  process.on('exit', () => buffer.end())
  const render =
    prettyFactory?.({ ignore: 'service,pid,hostname', messageFormat: `${service}: {msg}` }) ??
    ((line: string) => line)
  const destination = {
    // Asks pino to set `lastLevel` before each line.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string) {
      buffer.add(levelOf(this.lastLevel), render(line))
    },
    flush: () => buffer.flush(),
  }
  const log = pino(optionsOf(service, level), destination)
  return log
}

/** Pino counts in tens. */
const levelOf = (value: number): Level => levels[value / 10 - 1]!

const optionsOf = (service: string, level: string): pino.LoggerOptions => ({
  level,
  base: { service },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
  serializers: { err: (error) => errorFacts(error) },
  hooks: { streamWrite: (line) => oneLine(maskText(line)) },
})

/** JSON does not escape these characters, but many log readers end a line at them. */
const oneLine = (line: string): string =>
  line.replaceAll(/[\u0085\u2028\u2029]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`)
