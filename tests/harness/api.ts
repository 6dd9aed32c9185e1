/** Clients whose types are generated from `openapi/`. As with `Client`, every answer is checked against the document. */
import createClient from 'openapi-fetch'
import type { paths as NotifierPaths } from '../../openapi/notifier.ts'
import type { paths as ReservationPaths } from '../../openapi/reservation.ts'
import type { paths as StockPaths } from '../../openapi/stock.ts'
import type { Faces } from './acts.ts'
import type { Client } from './client.ts'

export const apisOf = ({ reservation, stock, notifier }: Faces) => ({
  reservation: apiOf<ReservationPaths>(reservation),
  stock: apiOf<StockPaths>(stock),
  notifier: apiOf<NotifierPaths>(notifier),
})

const apiOf = <Paths extends object>(client: Client) =>
  createClient<Paths>({ baseUrl: client.url, fetch: (request) => fetchChecked(client, request) })

async function fetchChecked({ contract }: Client, request: Request): Promise<Response> {
  const response = await fetch(request)
  const [contentType = ''] = (response.headers.get('content-type') ?? '').split(';')
  const body = /[/+]json$/.test(contentType) ? await response.clone().json() : undefined
  contract.check(request.method, new URL(request.url).pathname, {
    status: response.status,
    contentType,
    body,
  })
  return response
}
