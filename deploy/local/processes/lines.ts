/** The lines of a stream. A line ends only at a line feed, so no part of a logged text can begin a line. */
import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** Longer lines are split. */
const lineLengthMax = 1_000_000

export function onLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8')
  let parts: string[] = []
  let length = 0
  const end = () => {
    const line = parts.join('')
    parts = []
    length = 0
    onLine(line.endsWith('\r') ? line.slice(0, -1) : line)
  }
  const take = (text: string) => {
    const [first, ...others] = text.split('\n')
    keep(first!)
    for (const other of others) {
      end()
      keep(other)
    }
  }
  const keep = (part: string) => {
    if (part === '') return
    parts.push(part)
    length += part.length
    if (length > lineLengthMax) end()
  }
  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)))
  stream.on('close', () => {
    take(decoder.end())
    if (length > 0) end()
  })
}
