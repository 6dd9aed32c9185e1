/**
 * A service that counts: one row and one event per message. The handler makes `undecidable` a dead letter, Postgres refuses
 * a value that is not a number, and `gibberish` cannot be parsed.
 */
import type { Envelope } from '../envelope.ts'
import type { Delivery, Handler } from '../handler.ts'
import type { Sql } from '../postgres.ts'
import { fencedRows } from '../rows.ts'

export type Count = { value: string }

/** Awaited before each batch. */
export type Before = (batch: Delivery<Count>[]) => Promise<void> | void

/** @param worker written into each row. */
export function counter(sql: Sql, worker: string, before?: Before): Handler<Count> {
  return {
    parse({ data }) {
      const { value } = data as Count
      if (value === 'gibberish') throw new Error('Cannot understand gibberish')
      return { value }
    },
    async handle(batch) {
      await before?.(batch)
      const [unfit, counted] = [batch.filter(undecidable), batch.filter((it) => !undecidable(it))]
      const numbered = counted.map((it, n) => ({ ...it, n }))
      return {
        poison: unfit.map(({ partition, position }) => ({ partition, position, reason: 'Cannot decide it' })),
        writes: [
          sql`counted as (
            insert into tally (partition, position, value, worker)
            select c.partition, c.position, c.value::int, ${worker}
            from ${fencedRows(sql, numbered, {
              n: 'int',
              position: 'text',
              value: ['text', (it) => it.message.value],
            })} as c
            order by c.n
            returning partition, value
          )`,
        ],
        events: counted.map(({ partition, position, envelope, message }) => ({
          partition,
          event: {
            id: `${partition}/${position}`,
            type: 'Counted',
            subject: envelope.subject,
            data: message,
          },
        })),
        results: sql`select null::int, row_to_json(counted) from counted`,
      }
    },
  }
}

const undecidable = ({ message }: Delivery<Count>) => message.value === 'undecidable'

export const envelopeOf = (id: string, type: string, subject: string, data: Envelope['data']): Envelope => ({
  specversion: '1.0',
  id,
  source: '/counter',
  type,
  subject,
  time: '2026-01-01T00:00:00.000Z',
  data,
})
