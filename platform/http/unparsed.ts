/**
 * Answers requests that Node's parser rejects with a problem like any other; Node itself would send an empty
 * response. Deno answers such requests by itself.
 */
import { type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { Problem } from './problem.ts'

type ParserError = Error & { code?: string; reason?: string }
/** `_httpMessage` is the response in progress on a connection. */
type Connection = Socket & { _httpMessage?: ServerResponse | null }

export function answerUnparsed(server: Server, publicUrl: string | undefined): void {
  server.on('clientError', (error: ParserError, socket) =>
    written(problemOf(error), publicUrl).then((text) => answer(socket as Connection, text)),
  )
}

/** Keeps responses in the order of their requests, and never interleaves them. */
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
      ? 'The target contains characters that must be escaped: write them as percent-encoded UTF-8, as in %EA%B0%80.'
      : `This is not HTTP/1.1${reason ? `: ${reason}` : ''}.`
  return new Problem('invalid-input', { detail })
}

async function written(problem: Problem, publicUrl: string | undefined): Promise<string> {
  const response = problem.toResponse(publicUrl)
  const body = await response.text()
  const headers = [...response.headers, ['content-length', Buffer.byteLength(body)], ['connection', 'close']]
  const start = `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`
  return `${[start, ...headers.map((it) => it.join(': '))].join('\r\n')}\r\n\r\n${body}`
}
