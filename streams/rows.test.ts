import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { closePostgres, openPostgres, type Sql } from './postgres.ts'
import { type Columns, fencedRows, rows } from './rows.ts'

let sql: Sql
beforeAll(() => {
  sql = openPostgres(inject('postgresUrl'), { schema: 'pg_monitor', max: 1 })
})
afterAll(() => closePostgres(sql))

const select = async <Item, Names extends string>(items: Item[], columns: Columns<Item, Names>) => [
  ...(await sql`select r.* from ${rows(sql, items, columns)} as r`),
]

test('items arrive as they are, with columns of the types named', async () => {
  const items = [
    {
      position: '1-0',
      partition: 1,
      seq: 2 ** 40,
      half: 0.5,
      id: '0198c0de-0000-7000-8000-000000000001',
      done: true,
    },
    { position: null, partition: null, seq: null, half: null, id: null, done: null },
    { position: "it's {a}", partition: -1, seq: 0, half: 1, id: null, done: false },
  ]
  const columns = {
    position: 'text',
    partition: 'smallint',
    seq: 'bigint',
    half: 'float8',
    id: 'uuid',
    done: 'bool',
  } as const
  expect(await select(items, columns)).toEqual(items)
  expect(await select([], columns)).toEqual([])
  for (const item of items) expect(await select([item], columns)).toEqual([item])
})

test('a column can be derived from the item', async () => {
  const items = [{ hold: { status: 'held', open: true } }, { hold: { status: null, open: false } }]
  const found = await select(items, {
    status: ['text', (it) => it.hold.status],
    open: ['bool', (it) => it.hold.open],
  })
  expect(found).toEqual([
    { status: 'held', open: true },
    { status: null, open: false },
  ])
})

test('JSON arrives as it is, whatever its texts hold', async () => {
  const texts = ['{"a":"line\\nline"}', JSON.stringify(`"'\n\r\t\\\u2028{},$1 가`), '[null,"null"]', '{}']
  const items = texts.map((json, n) => ({ n, json }))
  expect(await select(items, { n: 'int', json: 'json' })).toEqual(items)
  expect(await select(items.slice(0, 1), { json: ['json', (it) => it.json] })).toEqual([{ json: texts[0] }])
  expect(await select<{ json: string }, 'json'>([], { json: 'json' })).toEqual([])
})

test('a column of another type than the property, or of a property that is not there, does not compile', () => {
  const items = [{ partition: 1, title: 'a', at: undefined as string | undefined }]
  // @ts-expect-error
  rows(sql, items, { title: 'int' })
  // @ts-expect-error
  rows(sql, items, { author: 'text' })
  // @ts-expect-error
  rows(sql, items, { at: 'text' })
  // @ts-expect-error
  rows(sql, items, { title: ['int', (it) => it.title] })
  // @ts-expect-error
  rows(sql, items, { title: ['json', () => null] })
  // @ts-expect-error
  fencedRows(sql, [{ title: 'a' }], { title: 'text' })
})

test('C1: only rows of fenced partitions are there, and the partition need not be named', async () => {
  const items = [0, 1, 2].map((partition) => ({ partition, title: `title ${partition}` }))
  const found = await sql`
    with fenced as (select p as partition from unnest(${[0, 2]}::int[]) as p)
    select t.partition, t.title from ${fencedRows(sql, items, { title: 'text' })} as t`
  expect([...found]).toEqual([items[0], items[2]])
  for (const item of items) {
    const alone = await sql`
      with fenced as (select p as partition from unnest(${[0, 2]}::int[]) as p)
      select t.partition, t.title from ${fencedRows(sql, [item], { title: 'text' })} as t`
    expect([...alone]).toEqual(item.partition === 1 ? [] : [item])
  }
})

test('any number of rows is the same statement, of the same template, and a single row is another', async () => {
  const ask = async (count: number) => {
    const table = rows(
      sql,
      Array.from({ length: count }, (_, i) => ({ i })),
      { i: 'int' },
    )
    const { statement } = await sql`select from ${table} as r`
    return { string: statement.string, template: (table as unknown as { strings: unknown }).strings }
  }
  const [none, one, many] = [await ask(0), await ask(1), await ask(100)]
  expect(one.string).toBe('select from (select i from (select $1::int as i) as r) as r')
  expect((await ask(1)).template).toBe(one.template)
  expect(many.string).toBe('select from (select i from (select unnest($1::int[]) as i) as r) as r')
  expect(none).toEqual(many)
  expect(none.template).toBe(many.template)
})
