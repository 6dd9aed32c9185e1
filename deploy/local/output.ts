/** What the starter prints: its own lines, and those of the services, readable or as JSON. */
import { prettyFactory } from 'pino-pretty'

export type Output = {
  /** A line of the starter's own. */
  say(line: string): void
  /** Renders the lines of one service. */
  of(service: string): (line: string) => void
}

const colors = [36, 33, 35]
const nameWidth = 11

export function createOutput(format: 'pretty' | 'json', stream: NodeJS.WriteStream = process.stdout): Output {
  // A reader that went away (`npm start | head`) is no reason to fall over without stopping what runs.
  stream.on('error', () => {})
  const write = (line: string) => void stream.write(`${line}\n`)
  if (format === 'json') {
    const entry = (msg: string) => ({ level: 'info', time: new Date().toISOString(), service: 'start', msg })
    return { say: (line) => write(JSON.stringify(entry(line))), of: () => write }
  }
  const colorize = stream.isTTY && !process.env.NO_COLOR
  const pretty = prettyFactory({
    colorize,
    ignore: 'pid,hostname,service',
    translateTime: 'HH:MM:ss.l',
    singleLine: true,
  })
  let services = 0
  return {
    say: write,
    of(service) {
      const color = colors[services++ % colors.length]
      const name = service.padEnd(nameWidth)
      const prefix = colorize ? `\x1b[${color}m${name}\x1b[0m ` : `${name} `
      return (line) => {
        for (const part of visible(pretty(line)).trimEnd().split('\n')) write(prefix + part)
      }
    },
  }
}

/** What a terminal may take for the end of a line, an order or a change of direction is shown as an escape. */
const visible = (text: string): string =>
  text.replaceAll(/[\r\u0080-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (it) =>
    it === '\r' ? '\\r' : `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
