/**
 * What Node's parser refuses never becomes a request, and Node would answer it without a word: here it is a problem like any
 * other. Deno answers such requests by itself.
 */
import { type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Problem } from './problem.ts'

type ParserError = Error & { code?: string; reason?: string }
/** `_httpMessage` is the answer that is under way on a connection. */
type Connection = Socket & { _httpMessage?: ServerResponse | null }

export function answerUnparsed(server: Server): void {
  server.on('clientError', (error: ParserError, socket) =>
    written(problemOf(error)).then((text) => answer(socket as Connection, text)),
  )
}

/** Answers stay in the order of the requests, and none gets into another. */
function answer(socket: Connection, text: string): void {
  const current = socket._httpMessage
  if (current?.req.complete) current.once('close', () => answer(socket, text))
  else if (socket.writable && !current?.headersSent) socket.end(text, () => socket.destroy())
  else socket.destroy()
}

function problemOf({ code, reason }: ParserError): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem('headers-too-large')
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return new Problem('body-too-large')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('request-too-slow')
  const detail =
    code === 'HPE_INVALID_URL'
      ? 'The target holds something that must be escaped: write it as UTF-8 in percent escapes, as in %EA%B0%80.'
      : `This is no HTTP/1.1${reason ? `: ${reason}` : ''}.`
  return new Problem('invalid-input', { detail })
}

async function written(problem: Problem): Promise<string> {
  const response = problem.toResponse()
  const body = await response.text()
  const headers = [...response.headers, ['content-length', Buffer.byteLength(body)], ['connection', 'close']]
  const start = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`
  return `${[start, ...headers.map((it) => it.join(': '))].join('\r\n')}\r\n\r\n${body}`
}
