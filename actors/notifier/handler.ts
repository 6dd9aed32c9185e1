/** Stock's events, understood: each batch becomes notices, written in the same commit as the offset. */
import type { Delivery, Effects, Handler } from '../../streams/handler.ts'
import type { Sql } from '../../streams/postgres.ts'
import { parseStockEvent, type StockEvent } from '../messages.ts'
import { planNotices, type Reach } from './notifier.ts'
import { planWrites, readContacts, type Superseded, supersededResults } from './store.ts'

export type NoticeHandlerOptions = {
  sql: Sql
  reach: Reach
  /** How long a notice rests before it is due. */
  delayMs: number
  /** Called when notices are committed. */
  noted(superseded: Superseded[]): void
}

export function noticeHandler({ sql, reach, delayMs, noted }: NoticeHandlerOptions): Handler<StockEvent> {
  return {
    parse: parseStockEvent,
    async handle(batch: Delivery<StockEvent>[]): Promise<Effects> {
      const contacts = await readContacts(sql, useridsOf(batch))
      const occurrences = batch.map(({ message, partition, envelope }) => ({
        event: message,
        id: envelope.id,
        partition,
        traceparent: envelope.traceparent ?? null,
      }))
      const plan = planNotices(occurrences, (userid) => contacts.get(userid), reach)
      if (plan.notices.length === 0) return nothing
      return {
        writes: planWrites(sql, plan, delayMs),
        events: [],
        poison: [],
        results: supersededResults(sql),
        committed: (_, results) => noted(results as Superseded[]),
      }
    },
  }
}

const nothing: Effects = { writes: [], events: [], poison: [] }

const useridsOf = (batch: Delivery<StockEvent>[]): string[] => [
  ...new Set(batch.flatMap(({ message }) => ('userid' in message ? [message.userid] : []))),
]
