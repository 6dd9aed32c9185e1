import { readFile } from 'node:fs/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { Sql } from '../../streams/postgres.ts'
import { type Claim, claimKey, isClaimed, pruneKeys } from './idempotency.ts'

const schema = `idempotency_${process.pid}_${Date.now()}`
let sql: Sql
beforeAll(async () => {
  sql = postgres(inject('postgresUrl'), { max: 4, onnotice: () => {}, connection: { search_path: schema } })
  await sql`create schema ${sql(schema)}`
  await sql.unsafe(await readFile(new URL('./migrations/0001-idempotency.sql', import.meta.url), 'utf8'))
})
afterAll(async () => {
  await sql`drop schema ${sql(schema)} cascade`
  await sql.end({ timeout: 1 })
})

const scope = 'POST /things'
const payload = { bookid: '1', qty: 3 }
const claim = (claimed: Omit<Claim, 'id'>) => claimKey(sql, { ...claimed, id: crypto.randomUUID() })

test('a key has the same UUID on every repetition', async () => {
  const first = await claim({ scope, key: 'a', payload })
  const again = await claim({ scope, key: 'a', payload: { qty: 3, bookid: '1', title: undefined } })
  expect(again).toBe(first)
  expect(await isClaimed(sql, scope, 'a')).toBe(true)
  expect(await isClaimed(sql, 'POST /others', 'a')).toBe(false)
})

test('a key has another UUID in another scope', async () => {
  const one = await claim({ scope, key: 'b', payload })
  const other = await claim({ scope: 'POST /others', key: 'b', payload })
  expect(one).not.toBe(other)
})

test('a key is refused for another payload', async () => {
  await claim({ scope, key: 'c', payload })
  const reused = claim({ scope, key: 'c', payload: { ...payload, qty: 4 } })
  await expect(reused).rejects.toMatchObject({ slug: 'idempotency-key-reused', status: 422 })
})

test('of concurrent claims with different payloads exactly one payload wins', async () => {
  const claims = Array.from({ length: 20 }, (_, i) => claim({ scope, key: 'd', payload: { qty: i % 2 } }))
  const won = (await Promise.allSettled(claims)).map(({ status }) => status === 'fulfilled')
  const parity = won.indexOf(true) % 2
  expect(won).toEqual(won.map((_, i) => i % 2 === parity))
})

test('old keys are deleted in batches', async () => {
  await sql`delete from idempotency`
  for (const key of ['g', 'h', 'i']) await claim({ scope, key, payload })
  await sql`update idempotency set created_at = created_at - interval '25 hours'`
  expect(await pruneKeys(sql, 24, 2)).toBe(2)
  expect(await pruneKeys(sql, 24, 2)).toBe(1)
})

test('a deleted key can be used again', async () => {
  await claim({ scope, key: 'e', payload })
  await sql`update idempotency set created_at = created_at - interval '25 hours'`
  await claim({ scope, key: 'f', payload })
  expect(await pruneKeys(sql, 24, 100)).toBeGreaterThan(0)
  await claim({ scope, key: 'e', payload: { other: true } })
  await expect(claim({ scope, key: 'f', payload: {} })).rejects.toThrow('another payload')
})
