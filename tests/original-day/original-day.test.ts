/**
 * With the rules `original`, the system answers, logs and stores what it did before books had rules. The record is of the last
 * version without them. To record another day, run this test with `--update` in a checkout of that version.
 */
import { expect, test } from 'vitest'
import { serviceNames } from '../../platform/config.ts'
import { eventually } from '../doubles/eventually.ts'
import type { Answer } from '../harness/client.ts'
import { useSystem } from '../harness/system.ts'
import { type Call, day } from './day.ts'

// One partition, and no message is sent again: each day has the same events in the same order.
const system = useSystem({ partitions: 1, env: { RESEND_AFTER_MS: '600000', NOTICE_GATHER_MS: '0' } })

/** The tables that are newer than the record. */
const newTables = ['claim', 'untended', 'closing_day', 'queue', 'queue_tally', 'standing']
/** The members of rows that are newer than the record: null or 0 for a book without rules, except what was ordered. */
const newColumns = [
  ...['out', 'waiting', 'last_place', 'on_order', 'orders_counted', 'rules', 'refused'],
  ...['pickup_by', 'place', 'other', 'cause', 'note', 'wait', 'active', 'active_max'],
]
/** The members of answers that are newer than the record and not null. */
const newMembers = new Map([
  ['/books', ['owned', 'waiting']],
  ['/notices', ['title']],
  ['/purchase-requests', ['author', 'isbn']],
  ['/purchases', ['title']],
])

test('a day with the rules `original` has the answers, events and rows that it had before there were rules', {
  timeout: 120_000,
}, async () => {
  const record = new Recording()
  const reservations: string[] = []
  for (const call of day) {
    const answer = await play(call, reservations)
    record.add(toLine(call, answer))
    if (call.path === '/reservations' && answer.status === 201) {
      const { reservationid } = answer.body
      if (!reservations.includes(reservationid)) reservations.push(reservationid)
    }
    await quiet()
  }
  for (const { events } of await system().sql`select events from stock.event_batch order by seq`)
    record.add(events)
  for (const row of await rowsOfAll()) record.addRow(row)
  await expect(record.text).toMatchFileSnapshot('recorded-day.jsonl')
})

type Body = Record<string, unknown> & { reservationid: string }

function play({ service, method, path, json, headers }: Call, reservations: string[]): Promise<Answer<Body>> {
  const named = path.replace(/\{(\d+)\}/, (_, n) => reservations[Number(n)]!)
  return system()[service].ask<Body>(method, named, {
    ...(json && { json }),
    ...(headers && { headers }),
  })
}

function toLine({ service, method, path, json }: Call, { status, headers, body }: Answer<unknown>): string {
  const location = headers.get('location') ?? undefined
  const isNew = newMembers.get(path.split('?')[0]!) ?? []
  const shown = JSON.stringify(body, (name, value) =>
    value === null || isNew.includes(name) ? undefined : value,
  )
  const asked = `${method} ${service}${path}${json ? ` ${JSON.stringify(json)}` : ''}`
  return JSON.stringify({ asked, status, location, body: JSON.parse(shown) })
}

/** Waits until all that follows from the last request is done. */
const quiet = () =>
  eventually(async () => {
    const [row] = await system().sql<{ open: number }[]>`
      select (select count(*) from reservation.outbox)::int
        + (select count(*) from reservation.reservation where status = 'Requested')::int
        + (select count(*) from notifier.undelivered)::int
        + (select sum(s.seq * 2 - split_part(r.position, '-', 1)::bigint - split_part(n.position, '-', 1)::bigint)
            from stock.mailbox s join reservation.mailbox r using (partition) join notifier.mailbox n using (partition)
          )::int as open`
    return row!.open === 0
  })

/** Each row of each table as JSON, after the name of its table, without what differs from run to run. */
async function rowsOfAll(): Promise<string[]> {
  const { sql } = system()
  const tables = await sql<{ schema: string; name: string }[]>`
    select table_schema as schema, table_name as name from information_schema.tables
    where table_schema = any(${[...serviceNames]}) and table_type = 'BASE TABLE' order by table_schema, table_name`
  const found: string[] = []
  for (const { schema, name } of tables.filter((it) => !ofWorkers.includes(it.name))) {
    const table = `${schema}.${name}`
    const rows = await sql<{ row: Record<string, unknown> }[]>`select to_jsonb(t) as row from ${sql(table)} t`
    if (newTables.includes(name)) expect(rows, table).toEqual([])
    else if (table !== titles) found.push(...rows.map(({ row }) => `${table} ${JSON.stringify(older(row))}`))
  }
  return found
}

/** The notifier's copy of titles is newer than the record, and is kept of all books. */
const titles = 'notifier.book'
/** Of workers, or recorded as events. */
const ofWorkers = ['worker', 'incarnation', 'migration', 'mailbox', 'event_batch', 'event_subject']

function older(row: Record<string, unknown>): Record<string, unknown> {
  const members = Object.entries(row).filter(([name, value]) => {
    if (!newColumns.includes(name)) return value !== null
    if (name !== 'on_order' && name !== 'orders_counted')
      expect([null, 0], `${name} of ${JSON.stringify(row)}`).toContain(value)
    return false
  })
  return Object.fromEntries(members)
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)/g

/** Of a message in its mailbox, within the id of an event. */
const entry = /\d{13}-\d+/g

/** Lines with names instead of ids and times. */
class Recording {
  readonly #lines: string[] = []
  readonly #rows: string[] = []
  readonly #names = new Map<string, string>()

  /** Ids that are new get the next names. */
  add(line: string): void {
    for (const [id] of line.matchAll(uuid))
      this.#names.set(id, this.#names.get(id) ?? `id-${this.#names.size + 1}`)
    this.#lines.push(this.#named(line))
  }

  /** In any order. */
  addRow(line: string): void {
    this.#rows.push(this.#named(line))
  }

  get text(): string {
    return [...this.#lines, ...this.#rows.sort(), ''].join('\n')
  }

  #named(line: string): string {
    return line
      .replaceAll(uuid, (id) => this.#names.get(id) ?? 'id')
      .replaceAll(time, 'time')
      .replaceAll(entry, 'entry')
  }
}
