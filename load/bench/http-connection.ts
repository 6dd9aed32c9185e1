/**
 * A keep-alive HTTP/1.1 connection with one request in flight. It implements only the necessary part of HTTP, because it shares
 * two cores with the servers that it measures: no header objects, no streams, one string per answer.
 */
import net from 'node:net'

export type Answer = {
  status: number
  /** The body, one character per byte. */
  body: string
  /** Whether the server closes the connection after this answer. */
  close: boolean
}

const receiveBytes = 16 * 1024
const answerBytesMax = 16 * 1024 * 1024

export class HttpConnection {
  readonly #socket: net.Socket
  #received = ''
  #closed = false
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined

  private constructor(host: string, port: number) {
    // One buffer for the whole connection: each chunk becomes a string before the next is read.
    const buffer = Buffer.allocUnsafeSlow(receiveBytes)
    const callback = (length: number) => this.#receive(buffer.toString('latin1', 0, length))
    this.#socket = net.connect({ host, port, noDelay: true, onread: { buffer, callback } })
    this.#socket.on('error', (error) => this.#end(error))
    this.#socket.on('close', () => this.#end(new Error('Cannot read the answer: the connection was closed')))
  }

  /** @throws when the server does not accept. */
  static async open(host: string, port: number): Promise<HttpConnection> {
    const connection = new HttpConnection(host, port)
    await new Promise<void>((resolve, reject) => {
      connection.#socket.once('connect', resolve)
      connection.#socket.once('error', reject)
    })
    return connection
  }

  /** Whether the connection can send another request. */
  get open(): boolean {
    return !this.#closed
  }

  /**
   * @param request head and body, ASCII.
   * @throws when the connection breaks before the answer is complete. It is then unknown whether the request had an effect.
   */
  exchange(request: string): Promise<Answer> {
    if (this.#waiting) throw new Error('Cannot send a request: another is in flight')
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error('Cannot send a request: the connection is closed'))
      this.#waiting = { resolve, reject }
      this.#socket.write(request, 'latin1')
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #receive(chunk: string): boolean {
    this.#received = this.#received === '' ? chunk : this.#received + chunk
    try {
      const answer = parseAnswer(this.#received)
      if (answer) this.#deliver(answer)
      else if (this.#received.length > answerBytesMax) throw new Error('Cannot read the answer: too long')
    } catch (error) {
      this.#end(error as Error)
      this.#socket.destroy()
    }
    return true
  }

  #deliver(answer: Answer): void {
    const waiting = this.#waiting
    if (!waiting) throw new Error('Cannot read an answer: no request was sent')
    this.#received = ''
    this.#waiting = undefined
    if (answer.close) {
      this.#closed = true
      this.#socket.destroy()
    }
    waiting.resolve(answer)
  }

  #end(error: Error): void {
    this.#closed = true
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }
}

/**
 * @param text everything received since the request, one character per byte.
 * @returns the answer, or undefined while it is incomplete.
 * @throws when it is malformed, has extra bytes, or has no length.
 */
export function parseAnswer(text: string): Answer | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const head = text.slice(0, headEnd)
  if (!head.startsWith('HTTP/1.')) throw new Error(`Cannot read the answer: ${head.slice(0, 40)}`)
  const status = Number(head.slice(9, 12))
  if (status < 200) return parseAnswer(text.slice(headEnd + 4))
  const bodyStart = headEnd + 4
  const close = /\r\nconnection: *close/i.test(head)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (length) {
    const end = bodyStart + Number(length[1])
    if (text.length > end) throw new Error('Cannot read the answer: more bytes than its length')
    return text.length < end ? undefined : { status, body: text.slice(bodyStart), close }
  }
  if (status === 204 || status === 304) return { status, body: '', close }
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error('Cannot read the answer: no length')
  const body = parseChunks(text, bodyStart)
  return body === undefined ? undefined : { status, body, close }
}

function parseChunks(text: string, start: number): string | undefined {
  let body = ''
  for (let at = start; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (!(size >= 0)) throw new Error(`Cannot read the answer: chunk size ${text.slice(at, lineEnd)}`)
    const next = lineEnd + 2 + size + 2
    // The last chunk is empty; trailers may follow before the blank line.
    if (size === 0) return text.indexOf('\r\n\r\n', lineEnd) < 0 ? undefined : body
    if (text.length < next) return undefined
    body += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = next
  }
}
