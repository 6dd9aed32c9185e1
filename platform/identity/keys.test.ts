/** Keys of an issuer that is down, wrong or endless. `tokens.test.ts` has the rest. */
import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { openDatabase } from '../../tests/harness/database.ts'
import type { Problem } from '../http/problem.ts'
import { keyStoreIn } from './key-store.ts'
import { audience, issuerName, TestIssuer } from './testing.ts'
import { Tokens } from './tokens.ts'

const down = (response: ServerResponse) => void response.destroy()

async function stage() {
  const [database, issuer] = await Promise.all([openDatabase('reservation'), TestIssuer.start()])
  const store = keyStoreIn(database.sql)
  return {
    sql: database.sql,
    issuer,
    store,
    /** Of a process that has just started. */
    async fresh(keyStore = store) {
      const issuers = [{ name: issuerName, keysUrl: issuer.url }]
      const tokens = new Tokens({ issuers, audience, apiTokens: [], keyStore })
      await tokens.readKeys()
      return tokens
    },
    token: () => issuer.token({ userid: 'mina' }),
    async [Symbol.asyncDispose]() {
      await Promise.all([database[Symbol.asyncDispose](), issuer[Symbol.asyncDispose]()])
    },
  }
}

test('KR4: a process that starts while the issuer is down has the keys that another has read', async () => {
  await using it = await stage()
  const { issuer } = it
  await it.fresh()
  await expect.poll(() => it.store.find(issuer.url)).toBeDefined()
  issuer.answer = down
  expect(await (await it.fresh()).verify(await it.token())).toMatchObject({ userid: 'mina' })
  // Those of another address are of another issuer.
  expect(await it.store.find(`${issuer.url}?`)).toBeUndefined()
  // A key that is not among them cannot be judged.
  const [known] = issuer.keys
  await issuer.addKey()
  const tokens = await it.fresh()
  const statusOf = async () => {
    const [outcome] = await Promise.allSettled([tokens.verify(await it.token())])
    return outcome.status === 'fulfilled' ? 200 : (outcome.reason as Problem).status
  }
  // Keys are looked for once a second.
  await expect.poll(statusOf).toBe(503)
  // Back again, the issuer decides.
  issuer.keys.splice(issuer.keys.indexOf(known!), 1)
  issuer.answer = undefined
  await expect.poll(statusOf).toBe(200)
  await expect.poll(() => it.store.find(issuer.url)).toBe(JSON.stringify(issuer.jwks))
})

test('KR4: keys are kept once, and a database that is away harms no token', async () => {
  await using it = await stage()
  for (let i = 0; i < 3; i++) await (await it.fresh()).verify(await it.token())
  await expect.poll(async () => (await it.sql`select from issuer_keys`).length).toBe(1)
  const [{ at }] = await it.sql<[{ at: Date }]>`select read_at as at from issuer_keys`
  await it.store.keep(it.issuer.url, JSON.stringify(it.issuer.jwks))
  expect((await it.sql<[{ at: Date }]>`select read_at as at from issuer_keys`)[0].at).toEqual(at)
  const away = {
    find: () => Promise.reject(new Error('away')),
    keep: () => Promise.reject(new Error('away')),
  }
  const tokens = await it.fresh(away)
  expect(await tokens.verify(await it.token())).toMatchObject({ userid: 'mina' })
  it.issuer.answer = down
  await expect(Promise.resolve((await it.fresh(away)).verify(await it.token()))).rejects.toMatchObject({
    status: 503,
  })
})

test('KR4: an issuer and a database that both do not answer delay a token by a second', async () => {
  await using it = await stage()
  it.issuer.answer = () => {}
  const silent = { find: () => new Promise<never>(() => {}), keep: async () => {} }
  const tokens = new Tokens({
    issuers: [{ name: issuerName, keysUrl: it.issuer.url }],
    audience,
    apiTokens: [],
    keyStore: silent,
  })
  const began = performance.now()
  await expect(Promise.resolve(tokens.verify(await it.token()))).rejects.toMatchObject({ status: 503 })
  expect(performance.now() - began).toBeLessThan(1_500)
})

test.each<[string, (response: ServerResponse) => void]>([
  ['a page', (response) => void response.end('<!doctype html>')],
  ['JSON that is no set of keys', (response) => void response.end('{"keys":"none"}')],
  ['a redirect', (response) => void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()],
  ['an endless answer', (response) => void endless(response)],
  ['an endless answer that drips', (response) => void drip(response)],
])('KR5: %s instead of the keys takes the place of none, and is read no further', async (_, answer) => {
  await using it = await stage()
  await it.fresh()
  await expect.poll(() => it.store.find(it.issuer.url)).toBeDefined()
  let closed = false
  it.issuer.answer = (response) => {
    response.on('close', () => {
      closed = true
    })
    answer(response)
  }
  const began = performance.now()
  expect(await (await it.fresh()).verify(await it.token())).toMatchObject({ userid: 'mina' })
  expect(performance.now() - began).toBeLessThan(1_500)
  await expect.poll(() => closed).toBe(true)
  expect(await it.store.find(it.issuer.url)).toBe(JSON.stringify(it.issuer.jwks))
})

/** As fast as it is read. */
function endless(response: ServerResponse): void {
  const chunk = ' '.repeat(64 * 1_024)
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on('drain', more)
  more()
}

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '), 50)
  response.on('close', () => clearInterval(timer))
}
