/** HTTPie, as people type it: `http POST :8082/stocks bookid=1 qty=3`. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export type Printed = { status: number; body: Record<string, unknown> }

/** @returns what the real command printed: the status and the JSON body. */
export async function http(method: string, url: string, ...items: string[]): Promise<Printed> {
  const args = ['--ignore-stdin', '--pretty=none', '--print=hb', '--timeout=20', method, url, ...items]
  const { stdout } = await promisify(execFile)('http', args)
  const [head, ...rest] = stdout.replaceAll('\r\n', '\n').split('\n\n')
  const status = Number(head!.match(/^HTTP\/[\d.]+ (\d{3})/)?.[1])
  return { status, body: JSON.parse(rest.join('\n\n')) }
}
