/** HTTPie, as people type it: `http POST :8082/stocks bookid=1 qty=3`. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Client } from '../harness/client.ts'

export type Printed = { status: number; body: Record<string, unknown> }

/** @returns the output of the real command, checked against the service's OpenAPI document. */
export async function http(
  method: string,
  service: Client,
  path: string,
  ...items: string[]
): Promise<Printed> {
  const url = `${service.url}${path}`
  const args = ['--ignore-stdin', '--pretty=none', '--print=hb', '--timeout=20', method, url, ...items]
  const { stdout } = await promisify(execFile)('http', args)
  const [head, ...rest] = stdout.replaceAll('\r\n', '\n').split('\n\n')
  const status = Number(head!.match(/^HTTP\/[\d.]+ (\d{3})/)?.[1])
  const contentType = head!.match(/^content-type: *([^;\n]*)/im)?.[1] ?? ''
  const body = JSON.parse(rest.join('\n\n'))
  service.contract.check(method, path, { status, contentType, body })
  return { status, body }
}
