/** One HTTP call: `call.ts JSON`. It runs in a pod, and prints an `Answer` as JSON. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'

export type Call = {
  url: string
  /** Makes it a POST. */
  body?: object
  headers?: Record<string, string> | undefined
  seconds?: number
  /** Whether it may still be open when the time is over. */
  stream?: boolean
}
/** Status 0 means that there was none. */
export type Answer = { status: number; body: string }

/** Not `fetch`, which sets the Host header itself. */
async function call({ url, body, headers, seconds = 10, stream = false }: Call): Promise<Answer> {
  try {
    const asked = request(url, {
      method: body ? 'POST' : 'GET',
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(seconds * 1_000),
    })
    asked.end(body && JSON.stringify(body))
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    return { status: answer.statusCode!, body: await read(answer, stream) }
  } catch {
    return { status: 0, body: '' }
  }
}

async function read(answer: IncomingMessage, stream: boolean): Promise<string> {
  let body = ''
  try {
    for await (const chunk of answer.setEncoding('utf8')) body += chunk
  } catch (error) {
    if (!stream) throw error
  }
  return body
}

if (import.meta.main) console.log(JSON.stringify(await call(JSON.parse(process.argv[2]!))))
