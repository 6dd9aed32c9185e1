/**
 * Rows of a statement from objects in memory: one array per column, so that any number of rows makes the same prepared
 * statement. A single row has a statement of its own, with a parameter per column: a lone customer waits for three statements of
 * single rows, which Postgres runs in an eighth less time when there are no arrays to unnest and join.
 *
 *   sql`update purchase p set status = 'received'
 *     from ${fencedRows(sql, received, { purchaseid: 'uuid', bookid: 'text' })} as r
 *     where p.purchaseid = r.purchaseid and p.bookid = r.bookid`
 *
 * A column is named once, with its type in Postgres. Its values are the items' properties of that name, or
 * derived by a function: `{ status: ['text', (it) => it.hold.status] }`. Names are lower case, as in SQL.
 */
import type { Fragment, Sql } from './postgres.ts'

/**
 * Types of columns, and of their values in TypeScript. Any value may be null, except JSON, which travels as one text, a line for
 * each row: in an array, every quote would be escaped, and read again character by character.
 */
type Values = {
  smallint: number
  int: number
  bigint: number
  float8: number
  text: string
  uuid: string
  bool: boolean
  json: string
}
type Type = keyof Values
type ValueOf<T extends Type> = T extends 'json' ? string : Values[T] | null

type TypeOf<Value> = { [T in Type]: [Value] extends [ValueOf<T>] ? T : never }[Type]
type Derived<Item> = { [T in Type]: readonly [type: T, read: (item: Item) => ValueOf<T>] }[Type]

export type Columns<Item, Names extends string> = {
  [Name in Names]: (Name extends keyof Item ? TypeOf<Item[Name]> : never) | Derived<Item>
}

/** @returns a table expression: `from ${rows(sql, items, columns)} as r`. */
export const rows = <Item, Names extends string>(
  sql: Sql,
  items: readonly Item[],
  columns: Columns<Item, Names>,
): Fragment => select(sql, items, columns, '')

/**
 * For the parts of a commit (`commit.ts`, C1): only the rows of partitions that the worker still owns.
 * @returns a table expression with a column `partition` ahead of those named.
 */
export const fencedRows = <Item extends { partition: number }, Names extends string>(
  sql: Sql,
  items: readonly Item[],
  columns: Columns<Item, Names>,
): Fragment => select(sql, items, { partition: 'int', ...columns }, fence)

/** @returns the names of columns, to write what was read: `insert into t (${names(sql, c)}) select ${names(sql, c)} from …`. */
export const names = (sql: Sql, columns: object): Fragment => {
  const list = Object.keys(columns).join(', ')
  return sql(cached(list, () => [list]))
}

/** An array is looked up once; `in (select …)` would be joined row by row. */
const fence = ' where partition = any(array(select partition from fenced))'

function select<Item>(sql: Sql, items: readonly Item[], columns: object, where: string): Fragment {
  const single = items.length === 1
  const args: (string | string[])[] = []
  const types: [name: string, type: Type][] = []
  let key = `${single}${where}`
  for (const [name, column] of Object.entries(columns) as [string, Type | Derived<Item>][]) {
    const derived = typeof column !== 'string'
    const type = derived ? column[0] : column
    const values = toArray(items, type, derived ? column[1] : name)
    args.push(single ? values[0]! : type === 'json' ? values.join('\n') : values)
    types.push([name, type])
    key += ` ${name} ${type}`
  }
  const template = cached(key, () => stringsOf(types, where, single))
  return sql(template, ...args)
}

/** Booleans travel as text: the driver takes an array of them for one boolean. */
function toArray<Item>(
  items: readonly Item[],
  type: Type,
  read: string | ((item: Item) => unknown),
): string[] {
  const values = new Array<unknown>(items.length)
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!
    const value = typeof read === 'string' ? item[read as keyof Item] : read(item)
    values[i] = type === 'bool' && value !== null ? String(value) : value
  }
  return values as string[]
}

/** By their columns: the driver keeps something for every template it has seen, so equal ones must be the same. */
const templates = new Map<string, TemplateStringsArray>()

function cached(key: string, stringsOf: () => string[]): TemplateStringsArray {
  let template = templates.get(key)
  if (!template) {
    const strings = stringsOf()
    template = Object.assign(strings, { raw: strings })
    templates.set(key, template)
  }
  return template
}

/** Arrays are unnested in the select list, side by side. In `from`, Postgres copies each of them into a store of its own first. */
function stringsOf(columns: [name: string, type: Type][], where: string, single: boolean): string[] {
  const selected = columns.map(([name, type]) => (type === 'bool' ? `${name}::bool as ${name}` : name))
  const from = columns.map(([name, type]) => `${single ? argument(type) : array(type)} as ${name}`)
  return `(select ${selected.join(', ')} from (select ${from.join(', ')}) as r${where})`.split('$')
}

/** In these `$` is the argument. */
const argument = (type: Type) => `$::${type === 'bool' || type === 'json' ? 'text' : type}`
const array = (type: Type) =>
  type === 'json' ? "unnest(string_to_array($::text, e'\\n'))" : `unnest(${argument(type)}[])`
