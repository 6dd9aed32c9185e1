import { readFile } from 'node:fs/promises'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import type { Sql } from '../../streams/postgres.ts'
import { claimKey, pruneKeys } from './idempotency.ts'

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

test('a key stands for the same UUID at every repetition', async () => {
  const first = await claimKey(sql, { scope, key: 'a', payload })
  const again = await claimKey(sql, { scope, key: 'a', payload: { qty: 3, bookid: '1', title: undefined } })
  expect(again).toBe(first)
  expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('a key stands for another UUID in another scope', async () => {
  const one = await claimKey(sql, { scope, key: 'b', payload })
  const other = await claimKey(sql, { scope: 'POST /others', key: 'b', payload })
  expect(one).not.toBe(other)
})

test('a key is refused for another payload', async () => {
  await claimKey(sql, { scope, key: 'c', payload })
  const reused = claimKey(sql, { scope, key: 'c', payload: { ...payload, qty: 4 } })
  await expect(reused).rejects.toMatchObject({ slug: 'idempotency-key-reused', status: 422 })
})

test('of concurrent claims with different payloads exactly one payload wins', async () => {
  const claims = Array.from({ length: 20 }, (_, i) =>
    claimKey(sql, { scope, key: 'd', payload: { qty: i % 2 } }),
  )
  const won = (await Promise.allSettled(claims)).map(({ status }) => status === 'fulfilled')
  const parity = won.indexOf(true) % 2
  expect(won).toEqual(won.map((_, i) => i % 2 === parity))
})

test('a key that was pruned may be used again', async () => {
  await claimKey(sql, { scope, key: 'e', payload })
  await sql`update idempotency set created_at = created_at - interval '25 hours'`
  await claimKey(sql, { scope, key: 'f', payload })
  expect(await pruneKeys(sql, 24)).toBeGreaterThan(0)
  await claimKey(sql, { scope, key: 'e', payload: { other: true } })
  await expect(claimKey(sql, { scope, key: 'f', payload: {} })).rejects.toThrow('another payload')
})
