/** HTTPie, as people type it: `http POST :8082/stocks bookid=1 qty=3`. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Client } from '../harness/client.ts'

export type Printed = { status: number; body: Record<string, unknown> }

/** How a test sends a request that is written as for HTTPie. */
export type Http = typeof http

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

/** The same request without a process of its own: fields in a JSON body as text, headers with a colon. */
export async function asHttpie(
  method: string,
  service: Client,
  path: string,
  ...items: string[]
): Promise<Printed> {
  const partsOf = (separator: '=' | ':') =>
    items.filter((it) => /[=:]/.exec(it)?.[0] === separator).map((it) => it.split(separator, 2))
  const fields = partsOf('=')
  const headers = { accept: 'application/json, */*;q=0.5', ...Object.fromEntries(partsOf(':')) }
  const json = fields.length > 0 ? Object.fromEntries(fields) : undefined
  const { status, body } = await service.ask<Printed['body']>(method, path, { json, headers })
  return { status, body }
}
