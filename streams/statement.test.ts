import { expect, inject, test } from 'vitest'
import { closing, openPostgres } from './postgres.ts'

const open = () => closing(openPostgres(inject('postgresUrl'), { schema: 'pg_monitor', max: 1 }))

test('a statement may have parts, lists of parts, values and names', async () => {
  await using sql = open()
  const numbers = (from: number) => sql`select ${from}::int as n union all select ${from + 1}::int`
  const list = [1, 2].map((n) => sql`+ ${n}::int`)
  const found = await sql`
    select n ${list} as ${sql('the sum')}, ${null}::text as nothing, ${['a', 'b']}::text[] @> '{b}' as has
    from (${numbers(5)}) as numbers ${sql``}`
  expect([...found]).toEqual([5, 6].map((n) => ({ 'the sum': n + 3, nothing: null, has: true })))
  const plain = await sql`select n ${list} as it from (${numbers(5)}) as numbers where n = ${6}`
  expect([...plain]).toEqual([{ it: 9 }])
  expect(plain.statement.string).toBe(
    'select n  + $1::int + $2::int as it from (select $3::int as n union all select $4::int) as numbers where n = $5',
  )
})

test('a statement is sent when it is awaited, and once; a part of another never', async () => {
  await using sql = open()
  await sql`create temporary sequence sent`
  const part = sql`select nextval('sent')::int as it`
  const statement = sql`select it from (${part}) as counted`
  const [[one], [same]] = await Promise.all([statement, statement])
  expect([one, same, (await sql`select last_value::int as it from sent`)[0]]).toEqual(
    Array(3).fill({ it: 1 }),
  )
})

test('a statement is prepared once for all values', async () => {
  await using sql = open()
  for (let n = 0; n < 3; n++) await sql`select ${n}::int as prepared_once`
  const prepared = await sql`select from pg_prepared_statements where statement like '%prepared_once'`
  expect(prepared.count).toBe(1)
})

test('hot statements that follow one another go to the same backend, and those of one moment to different ones', async () => {
  await using sql = closing(openPostgres(inject('postgresUrl'), { schema: 'pg_monitor', max: 3, hot: true }))
  const backend = async () => {
    const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid, pg_sleep(0.05)`
    return row!.pid
  }
  const atOnce = await Promise.all([backend(), backend(), backend()])
  expect(new Set(atOnce).size).toBe(3)
  const inTurn = [await backend(), await backend(), await backend()]
  expect(inTurn).toEqual(Array(3).fill(atOnce[0]))
  // A failed statement frees its backend too.
  await expect(sql`select 1 / 0`).rejects.toThrow('division by zero')
  expect(await backend()).toBe(atOnce[0])
})
