import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { closePostgres, type Sql } from '../../streams/postgres.ts'
import { eventually, range } from '../../tests/doubles/eventually.ts'
import { openReads, Reads } from './reads.ts'

let sql: Sql
beforeEach(() => {
  sql = openReads(inject('postgresUrl'), 'postgres', 2)
})
afterEach(() => closePostgres(sql))

const asleep = async () =>
  (
    await sql<
      { pid: number }[]
    >`select pid from pg_stat_activity where query like 'select pg_sleep%'  and state = 'active' and pid <> pg_backend_pid()`
  ).length

test('E2, E3: Postgres ends an abandoned read, and the next has its turn', async () => {
  const reads = new Reads(sql, 1)
  const long = reads.run(() => sql`select pg_sleep(30)`)
  const next = expect(reads.run(() => sql`select 1 as one`)).rejects.toMatchObject({ status: 503 })
  await expect(long).rejects.toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
  await eventually(async () => (await asleep()) === 0)
  await next
  expect(await eventually(() => reads.run(() => sql`select 1 as one`))).toEqual([{ one: 1 }])
})

test('E1, E2: a few reads run at a time, a few hundred wait in order, and the next is refused at once', async () => {
  const reads = new Reads(sql, 2)
  let running = 0
  let most = 0
  const order: number[] = []
  const gate = Promise.withResolvers<void>()
  const read = (i: number) => async () => {
    most = Math.max(most, ++running)
    await gate.promise
    order.push(i)
    running -= 1
  }
  const accepted = range(202).map((i) => reads.run(read(i)))
  await expect(reads.run(read(202))).rejects.toMatchObject({ status: 503 })
  gate.resolve()
  await Promise.all(accepted)
  expect(most).toBe(2)
  expect(order).toEqual(range(202))
})

test('a read that throws synchronously frees its place', async () => {
  const reads = new Reads(sql, 1)
  const wrong = () => {
    throw new Error('wrong')
  }
  for (const _ of range(3)) await expect(reads.run(wrong)).rejects.toThrow('wrong')
  expect(await reads.run(() => sql`select 1 as one`)).toEqual([{ one: 1 }])
})

test('E4: a client that disconnects loses its turn, and a failed read frees its place', async () => {
  const reads = new Reads(sql, 1)
  const gate = Promise.withResolvers<void>()
  const first = reads.run(() => gate.promise)
  const gone = new AbortController()
  let ran = false
  const left = reads.run(async () => {
    ran = true
  }, gone.signal)
  const refused = expect(left).rejects.toMatchObject({ status: 503 })
  gone.abort()
  gate.resolve()
  await Promise.all([first, refused])
  expect(getEventListeners(gone.signal, 'abort')).toEqual([])
  await expect(reads.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  await expect(reads.run(() => Promise.reject(new Error('again')))).rejects.toThrow('again')
  expect(ran).toBe(false)
})
