import { hash } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import { createLog } from '../log.ts'
import { createApp } from './app.ts'
import { mountDocs } from './docs.ts'
import { problems } from './problem.ts'
import { serve } from './serve.ts'
import { type Bench, type ProblemBody, serveBench } from './testing/bench.ts'

let bench: Bench
let error: () => unknown
beforeAll(async () => {
  bench = await serveBench({ error: () => error() })
})
afterAll(() => bench[Symbol.asyncDispose]())
beforeEach(() => bench.made.splice(0))

type Sent = { method?: string; body?: string | Uint8Array | ReadableStream; headers?: Record<string, string> }
const ask = (path: string, sent?: Sent) => askAt(bench.url, path, sent)
async function askAt(url: string, path: string, { headers = {}, ...init }: Sent = {}) {
  const response = await fetch(url + path, { ...init, headers, duplex: 'half' } as RequestInit)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { response, status: response.status, body: (isJson ? JSON.parse(text) : text) as ProblemBody }
}
const post = (body: Sent['body'], headers: Record<string, string> = {}) =>
  ask('/things', { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
const postJson = (body: unknown, headers?: Record<string, string>) => post(JSON.stringify(body), headers)
const good = { id: '1', qty: 3 }

test('a valid request reaches its handler', async () => {
  const { response, body } = await postJson({ ...good, unknown: true })
  expect(response.status).toBe(201)
  expect(response.headers.get('location')).toBe('/things/1')
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(body).toEqual(good)
  expect(bench.made).toEqual([good])
})

describe('invalid input gets a problem response and reaches no handler', () => {
  const huge = JSON.stringify({ ...good, note: 'x'.repeat(70_000) })
  const stream = (text: string) => new Blob([text]).stream()
  const cases: Record<string, [() => ReturnType<typeof ask>, number, keyof typeof problems]> = {
    'a wrong type': [() => postJson({ ...good, qty: 'x' }), 400, 'invalid-input'],
    'a missing field': [() => postJson({ id: '1' }), 400, 'invalid-input'],
    'a negative number': [() => postJson({ ...good, qty: -1 }), 400, 'invalid-input'],
    'a fraction': [() => postJson({ ...good, qty: 1.5 }), 400, 'invalid-input'],
    'a huge number': [() => post('{"id":"1","qty":1e400}'), 400, 'invalid-input'],
    'a NUL in an id': [() => postJson({ ...good, id: 'a\0' }), 400, 'invalid-input'],
    'a dot as id': [() => postJson({ ...good, id: '.' }), 400, 'invalid-input'],
    'two dots as id': [() => postJson({ ...good, id: '..' }), 400, 'invalid-input'],
    'a NUL in text': [() => postJson({ ...good, note: 'a\0' }), 400, 'invalid-input'],
    'half a surrogate pair': [() => post('{"id":"1","qty":1,"note":"\\ud800"}'), 400, 'invalid-input'],
    'half a surrogate pair in an id': [() => post('{"id":"\\udfff","qty":1}'), 400, 'invalid-input'],
    'a list instead of an object': [() => post('[]'), 400, 'invalid-input'],
    null: [() => post('null'), 400, 'invalid-input'],
    'malformed JSON': [() => post('{"id":'), 400, 'malformed-json'],
    'no body': [() => post(''), 400, 'malformed-json'],
    'another content type': [
      () => post('id=1', { 'content-type': 'text/plain' }),
      415,
      'unsupported-media-type',
    ],
    'no content type': [
      () => ask('/things', { method: 'POST', body: new TextEncoder().encode('{}') }),
      415,
      'unsupported-media-type',
    ],
    'another charset': [
      () => postJson(good, { 'content-type': 'application/json; charset=ISO-8859-1' }),
      415,
      'unsupported-media-type',
    ],
    'a compressed body': [
      () => post(gzipSync(JSON.stringify(good)), { 'content-encoding': 'gzip' }),
      415,
      'unsupported-media-type',
    ],
    'a body of 70 KB': [() => post(huge), 413, 'body-too-large'],
    'a body of 70 KB in chunks': [() => post(stream(huge)), 413, 'body-too-large'],
    'a bad idempotency key': [() => postJson(good, { 'idempotency-key': 'a\xff' }), 400, 'invalid-input'],
    'a long idempotency key': [
      () => postJson(good, { 'idempotency-key': 'x'.repeat(256) }),
      400,
      'invalid-input',
    ],
    'a bad query': [() => ask('/things?limit=0'), 400, 'invalid-input'],
    'a query parameter twice': [() => ask('/things?limit=1&limit=2'), 400, 'invalid-input'],
    'a NUL in a query': [() => ask('/things?note=%00'), 400, 'invalid-input'],
    'a made-up after': [() => ask('/things?after=x'), 400, 'invalid-input'],
    'a bad id in the path': [() => ask('/things/%00'), 400, 'invalid-input'],
    'an escape of the query that is not UTF-8': [() => ask('/things?note=%ff'), 400, 'invalid-input'],
    'a percent sign in the query': [() => ask('/things?note=100%'), 400, 'invalid-input'],
    'an after of bytes that are not UTF-8': [
      () => ask(`/things?after=${Buffer.from('["\xff"]', 'latin1').toString('base64url')}`),
      400,
      'invalid-input',
    ],
    'an unknown id': [() => ask('/things/none'), 404, 'not-found'],
    'an unknown path': [() => ask('/nothing'), 404, 'not-found'],
    'a wrong method': [() => ask('/things', { method: 'DELETE' }), 405, 'method-not-allowed'],
  }
  test.each(Object.entries(cases))('%s', async (_name, [send, status, slug]) => {
    const { response, body } = await send()
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(body).toMatchObject({ type: `/problems/${slug}`, title: problems[slug][1], status })
    expect(bench.made).toEqual([])
  })
})

test.each<Record<string, string>>([
  { 'content-type': 'application/json; charset=utf-8' },
  { 'content-type': 'application/merge-patch+json;charset="UTF-8"' },
  { 'content-encoding': 'identity' },
])('a body sent with %o is accepted', async (headers) => {
  expect((await postJson(good, headers)).status).toBe(201)
})

test('three dots are a valid id', async () => {
  expect((await postJson({ ...good, id: '...' })).status).toBe(201)
})

test('a chunked body within the limit is accepted', async () => {
  const { status } = await post(new Blob([JSON.stringify(good)]).stream())
  expect(status).toBe(201)
})

test('a chunked body keeps a character that is split between chunks', async () => {
  const bytes = new TextEncoder().encode(JSON.stringify({ ...good, note: '예약' }))
  const { promise, resolve } = Promise.withResolvers<string>()
  const outgoing = request(`${bench.url}/things`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  })
  outgoing.on('response', (incoming) => incoming.setEncoding('utf8').on('data', resolve))
  const middle = bytes.length - 4
  outgoing.write(bytes.subarray(0, middle), () => outgoing.end(bytes.subarray(middle)))
  expect(JSON.parse(await promise).note).toBe('예약')
})

/** The status of a request that `fetch` would not send like this: its body comes in these pieces. */
async function statusOf(headers: string[], ...pieces: string[]): Promise<string> {
  const { hostname, port } = new URL(bench.url)
  const socket = connect(Number(port), hostname).setNoDelay()
  const answered = once(socket, 'data')
  const head = ['POST /things HTTP/1.1', 'host: x', ...headers, '', '']
  const [first, ...rest] = pieces
  for (const piece of [head.join('\r\n') + first, ...rest]) {
    socket.write(piece)
    // There is no signal that the server has read a piece.
    await sleep(50)
  }
  const [answer] = await answered
  socket.destroy()
  return String(answer).split(' ', 2)[1]!
}

test('a body is read whole, whether it comes with its headers or in pieces', async () => {
  const text = JSON.stringify(good)
  const headers = ['content-type: application/json', `content-length: ${text.length}`]
  expect(await statusOf(headers, text)).toBe('201')
  expect(await statusOf(headers, text.slice(0, 5), text.slice(5))).toBe('201')
  expect(await statusOf(headers, '', text)).toBe('201')
  expect(bench.made).toEqual([good, good, good])
})

test('a body that comes with its headers is taken from the buffer of Node, one in pieces is streamed', async () => {
  const listened: string[][] = []
  const note = (message: unknown) => {
    const events: string[] = []
    listened.push(events)
    ;(message as { request: IncomingMessage }).request.on('newListener', (event) => events.push(event))
  }
  subscribe('http.server.request.start', note)
  onTestFinished(() => void unsubscribe('http.server.request.start', note))
  const text = JSON.stringify(good)
  const headers = ['content-type: application/json', `content-length: ${text.length}`]
  await statusOf(headers, text)
  await statusOf(headers, '', text)
  expect(listened.map((events) => events.includes('data'))).toEqual([false, true])
})

test('a body with two content types is refused', async () => {
  const text = JSON.stringify(good)
  const type = 'content-type: application/json'
  expect(await statusOf([type, type, `content-length: ${text.length}`], text)).toBe('415')
})

test('every fault of a request is listed, each where it is', async () => {
  const { body } = await postJson({ id: 'a b', qty: -1 }, { 'idempotency-key': 'x'.repeat(256) })
  expect(body.errors?.map(({ pointer, parameter }) => pointer ?? parameter)).toEqual([
    'idempotency-key',
    '/id',
    '/qty',
  ])
})

test('the error for a trailing slash says to remove it', async () => {
  expect((await ask('/things/')).body.detail).toContain('remove the trailing slash')
  expect((await ask('/nothing/')).body.detail).not.toContain('slash')
  expect(await ask('/')).toMatchObject({ status: 404, body: { detail: 'No resource at /' } })
})

test('no response is sniffed for another type, or cached', async () => {
  error = () => new Error('secret')
  const paths = ['/things', '/things/1', '/nothing', '/fault', '/problems/internal']
  for (const path of paths) {
    const { headers } = (await ask(path)).response
    expect(headers.get('x-content-type-options'), path).toBe('nosniff')
    expect(headers.get('cache-control'), path).toBe('no-store')
  }
})

test('the error for a wrong method lists the allowed ones', async () => {
  const { response } = await ask('/things', { method: 'DELETE' })
  expect(response.headers.get('allow')).toBe('GET, HEAD, POST')
})

test('a page of another origin learns nothing: no CORS header, and a preflight is refused', async () => {
  const headers = { origin: 'https://page.example', 'access-control-request-method': 'POST' }
  const preflight = await ask('/things', { method: 'OPTIONS', headers })
  expect(preflight.status).toBe(405)
  for (const { response } of [preflight, await ask('/things', { headers })])
    expect([...response.headers.keys()].filter((it) => it.startsWith('access-control'))).toEqual([])
})

describe('with CORS_ORIGINS', () => {
  const origin = 'https://app.example'
  let open: Bench
  beforeAll(async () => {
    open = await serveBench({ corsOrigins: ['http://localhost:5173', origin] })
  })
  afterAll(() => open[Symbol.asyncDispose]())
  const header = ({ headers }: Response, name: string) => headers.get(name)?.toLowerCase() ?? null

  test('a page of a listed origin may send every header of the API, and reads those of its answers', async () => {
    const wanted = { 'access-control-request-method': 'POST', origin }
    const { response, status } = await askAt(open.url, '/things', { method: 'OPTIONS', headers: wanted })
    expect(status).toBe(204)
    expect(header(response, 'access-control-allow-origin')).toBe(origin)
    expect(header(response, 'access-control-allow-methods')).toContain('patch')
    for (const name of [
      'authorization',
      'content-type',
      'idempotency-key',
      'prefer',
      'if-none-match',
      'traceparent',
    ])
      expect(header(response, 'access-control-allow-headers')).toContain(name)
    const seen = await askAt(open.url, '/things/1', { headers: { origin } })
    expect(seen.body).toEqual({ id: '1', qty: 1 })
    expect(header(seen.response, 'access-control-allow-origin')).toBe(origin)
    expect(header(seen.response, 'access-control-allow-credentials')).toBeNull()
    expect(header(seen.response, 'vary')).toContain('origin')
    for (const name of ['etag', 'location', 'retry-after', 'preference-applied', 'www-authenticate'])
      expect(header(seen.response, 'access-control-expose-headers')).toContain(name)
  })

  test('that page reads problems, and they are the same as without CORS', async () => {
    for (const [path, method, status] of [
      ['/things/none', 'GET', 404],
      ['/nothing', 'GET', 404],
      ['/things', 'DELETE', 405],
      ['/things?limit=0', 'GET', 400],
      ['/fault', 'GET', 500],
    ] as const) {
      const { response, body } = await askAt(open.url, path, { method, headers: { origin } })
      expect(response.status, path).toBe(status)
      expect(body.status, path).toBe(status)
      expect(header(response, 'access-control-allow-origin'), path).toBe(origin)
    }
    const { response } = await askAt(open.url, '/things', { method: 'DELETE' })
    expect(response.headers.get('allow')).toBe('GET, HEAD, POST')
  })

  test.each(['https://page.example', 'https://app.example.evil', 'http://app.example', 'null'])(
    'a page of %s reads nothing',
    async (origin) => {
      const { response } = await askAt(open.url, '/things', { headers: { origin } })
      expect(header(response, 'access-control-allow-origin')).toBeNull()
    },
  )
})

test('an unknown error reveals nothing', async () => {
  error = () => new Error('secret')
  const { status, body } = await ask('/fault')
  expect(status).toBe(500)
  expect(JSON.stringify(body)).not.toContain('secret')
})

test('a database that does not answer is 503 with Retry-After', async () => {
  const sql = postgres('postgres://nobody@127.0.0.1:1/none', { max: 1, backoff: () => 0.05 })
  const refused = await sql`select 1`.catch((cause: unknown) => cause)
  await sql.end({ timeout: 0 })
  error = () => refused
  const { response, body } = await ask('/fault')
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(body.type).toBe('/problems/unavailable')
})

test('a backend that is terminated in mid-query is 503', async () => {
  const sql = postgres(inject('postgresUrl'), { max: 1 })
  const ended = await sql`select pg_terminate_backend(pg_backend_pid())`.catch((cause: unknown) => cause)
  await sql.end({ timeout: 1 })
  error = () => ended
  expect((await ask('/fault')).status).toBe(503)
})

test('every problem is explained at the URL of its type', async () => {
  for (const slug of Object.keys(problems)) {
    const { status, body } = await ask(`/problems/${slug}`)
    expect(status).toBe(200)
    expect(body).toContain(slug)
  }
  expect((await ask('/problems/toString')).status).toBe(404)
})

test('responses are counted by route pattern, method and status, whatever clients send', async () => {
  await ask('/things/7')
  await ask('/nothing')
  await ask('/nothing', { method: 'PROPFIND' })
  await ask('/things/7', { method: 'PROPFIND' })
  const text = await bench.metrics.registry.metrics()
  const counted = (method: string, route: string, status: number) =>
    expect(text).toMatch(
      new RegExp(
        `^http_request_duration_seconds_count\\{service="bench",method="${method}",route="${route}",status="${status}"\\} \\d`,
        'm',
      ),
    )
  counted('GET', '/things/\\{id\\}', 200)
  counted('POST', '/things', 201)
  counted('GET', 'unknown', 404)
  counted('_OTHER', 'unknown', 404)
  counted('_OTHER', 'unknown', 405)
  expect(text).not.toContain('PROPFIND')
})

test('with PUBLIC_URL the type of every problem is a URL that explains it', async () => {
  const publicUrl = 'https://books.example/api'
  await using open = await serveBench({ publicUrl })
  for (const [path, method, slug] of [
    ['/things/none', 'GET', 'not-found'],
    ['/nothing', 'GET', 'not-found'],
    ['/things', 'DELETE', 'method-not-allowed'],
    ['/fault', 'GET', 'internal'],
  ] as const) {
    const { type } = (await askAt(open.url, path, { method })).body
    expect(type).toBe(`${publicUrl}/problems/${slug}`)
    const explained = await askAt(open.url, type.slice(publicUrl.length))
    expect(explained).toMatchObject({ status: 200, body: expect.stringContaining(problems[slug][1]) })
  }
  await using ops = await serveDocs(open)
  expect((await ops.ask('/openapi.json')).body).toMatchObject({ servers: [{ url: publicUrl }] })
  expect((await ops.ask('/nothing')).body.type).toBe(`${publicUrl}/problems/not-found`)
})

/** The docs, on a port of their own. */
async function serveDocs({ app, listener: { port }, metrics }: Bench = bench) {
  const docs = createApp({ ...app.about, log: createLog('bench', 'silent'), metrics })
  mountDocs(docs, app, port)
  const listener = await serve(docs, { host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${listener.port}`
  return {
    ask: (path: string, sent?: Sent) => askAt(url, path, sent),
    [Symbol.asyncDispose]: () => listener.close(0),
  }
}

test('the document lists the problems that every route can answer', async () => {
  await using ops = await serveDocs()
  const { body } = await ops.ask('/openapi.json')
  const { openapi, servers, paths } = body as unknown as {
    openapi: string
    servers: { url: string }[]
    paths: Record<string, Record<string, { responses: object }>>
  }
  expect(openapi).toBe('3.1.0')
  expect(servers).toMatchObject([{ url: `http://{host}:${new URL(bench.url).port}` }])
  expect(Object.keys(paths['/things']!.post!.responses)).toEqual(
    expect.arrayContaining(['201', '400', '409', '413', '415', '500', '503']),
  )
})

test('the reference page runs its own two scripts and nothing else', async () => {
  await using ops = await serveDocs()
  // `fetch` follows the redirect.
  const { response, body } = await ops.ask('/')
  expect(response.redirected).toBe(true)
  expect(new URL(response.url).pathname).toBe('/docs')
  const page = body as unknown as string
  const policy = response.headers.get('content-security-policy')!
  const [, inline] = /<script>([^<]+)<\/script>/.exec(page)!
  expect(policy).toBe(
    `default-src 'self'; script-src 'self' 'sha256-${hash('sha256', inline!, 'base64')}'; ` +
      "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  )
  // Inline styles and handlers would be blocked.
  expect(page).not.toMatch(/ style=| on\w+=|<style/)
  const linked = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!)
  expect(linked.filter((url) => url !== 'data:,')).toEqual([
    expect.stringMatching(/^\/docs\/[0-9a-f]{16}\/swagger-ui\.css$/),
    expect.stringMatching(/^\/docs\/[0-9a-f]{16}\/swagger-ui-bundle\.js$/),
  ])
  for (const path of linked.filter((url) => url !== 'data:,')) {
    const asset = await ops.ask(path)
    expect(asset.status).toBe(200)
    expect((asset.body as unknown as string).length).toBeGreaterThan(100_000)
    expect(asset.response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    const etag = asset.response.headers.get('etag')!
    expect(await ops.ask(path, { headers: { 'if-none-match': etag } })).toMatchObject({
      status: 304,
      body: '',
    })
    expect((await ops.ask(path.replace(/[0-9a-f]{16}/, '0'.repeat(16)))).status).toBe(404)
  }
  // Swagger UI asks a host of its own to judge the document, unless it is forbidden.
  expect(inline).toContain('validatorUrl: null')
})
