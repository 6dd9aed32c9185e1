/**
 * The output of the starter: its own lines and those of the services, readable or as JSON. A slow reader blocks neither the
 * starter nor the services (`log-buffer.ts`).
 */
import { prettyFactory } from 'pino-pretty'
import { type Level, LogBuffer } from '../../platform/log-buffer.ts'
import { openStdout } from '../../platform/stdout.ts'

export type Output = {
  /** Prints a line of the starter itself. */
  say(line: string): void
  /** Renders the lines of one service. */
  of(service: string): (line: string) => void
}

const colors = [36, 33, 35]
const nameWidth = 11

/** To standard output. */
export function openOutput(format: 'pretty' | 'json'): Output {
  const behind = (lines: object) =>
    output.say(`Dropped lines because the reader was behind: ${JSON.stringify(lines)}`)
  const buffer = new LogBuffer({ outlet: openStdout(), behind })
  process.on('exit', () => buffer.end())
  const add = (level: Level, line: string) => buffer.add(level, line)
  const output = createOutput(format, { isTTY: process.stdout.isTTY, add })
  return output
}

/** Receives lines, with the line feed at their end. */
type Sink = { isTTY: boolean; add(level: Level, line: string): void }

export function createOutput(format: 'pretty' | 'json', sink: Sink): Output {
  const write = (level: Level, line: string) => sink.add(level, `${line}\n`)
  if (format === 'json') {
    const entry = (msg: string) => ({ level: 'info', time: new Date().toISOString(), service: 'start', msg })
    return {
      say: (line) => write(ownLevel, JSON.stringify(entry(line))),
      of: () => (line) => write(levelOf(line), line),
    }
  }
  const colorize = sink.isTTY && !process.env.NO_COLOR
  const pretty = prettyFactory({
    colorize,
    ignore: 'pid,hostname,service',
    translateTime: 'HH:MM:ss.l',
    singleLine: true,
  })
  let services = 0
  return {
    say: (line) => write(ownLevel, line),
    of(service) {
      const color = colors[services++ % colors.length]
      const name = service.padEnd(nameWidth)
      const prefix = colorize ? `\x1b[${color}m${name}\x1b[0m ` : `${name} `
      return (line) => {
        const parts = visible(plain(line, colorize) ?? pretty(line))
          .trimEnd()
          .split('\n')
        write(levelOf(line), parts.map((part) => prefix + part).join('\n'))
      }
    },
  }
}

const plainLine =
  /^\{"level":"info","time":"[^"]{11}([^"]{12})Z","service":"\w+"(?:,(.*))?,"msg":"([^"\\]+)"\}$/
/** Facts that `pino-pretty` writes differently. */
const specialFact = /"(err|error|name|caller|timestamp|pid|hostname)":/

/**
 * Every reservation writes several lines. `pino-pretty` renders the same, but it parses and serializes each line.
 * @returns undefined unless it is the simple line of a service.
 */
function plain(line: string, colorize: boolean): string | undefined {
  const [, time, facts, msg] = plainLine.exec(line) ?? []
  if (msg === undefined || (facts && specialFact.test(facts))) return undefined
  const colored = (color: number, text: string) => (colorize ? `\x1b[${color}m${text}\x1b[39m` : text)
  return `[${time}] ${colored(32, 'INFO')}: ${colored(36, msg)}${facts ? ` ${colored(90, `{${facts}}`)}` : ''}`
}

/** The level of the starter's own lines, which are few and are dropped last. */
const ownLevel: Level = 'error'

/** The level that the service wrote. A line that is not JSON may be the error of a runtime that ends. */
const levelOf = (line: string): Level =>
  (/^\{"level":"(trace|debug|info|warn|error|fatal)"/.exec(line)?.[1] ?? 'error') as Level

/** Escapes characters that a terminal may interpret as the end of a line, a command or a change of direction. */
const visible = (text: string): string =>
  text.replaceAll(/[\r\u0080-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (it) =>
    it === '\r' ? '\\r' : `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
