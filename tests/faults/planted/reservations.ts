/** Bugs of the reservation service. */
import type { Bug } from './bug.ts'

export const reservations: Bug[] = [
  {
    name: 'resend under another id',
    edits: [
      {
        file: 'actors/reservation/resend.ts',
        find: 'commandOf(commandIn[row.status]!, row,',
        replace: 'commandOf(commandIn[row.status]!, { ...row, reservationid: crypto.randomUUID() },',
      },
    ],
    scenario: 'redis-full',
    caughtBy: ['no row without a request'],
  },
  {
    name: 'ignore the version of a book',
    edits: [
      {
        file: 'actors/reservation/books.ts',
        find: 'where book.version < excluded.version or',
        replace: 'where true or',
      },
      { file: 'actors/reservation/books.ts', find: '(book.version < b.version', replace: '(true' },
    ],
    scenario: 'poison',
    caughtBy: ['the book list matches the events', 'the book list never goes back'],
  },
  {
    name: 'let a late outcome revive a canceled reservation',
    edits: [
      {
        file: 'actors/reservation/store.ts',
        find: 'then r.status else v.status end',
        replace: 'then coalesce(v.status, r.status) else v.status end',
      },
      {
        file: 'actors/reservation/store.ts',
        find: 'and v.released',
        replace: '',
      },
    ],
    scenario: 'cancel-races',
    caughtBy: ['an answered cancel has taken effect'],
  },
  {
    name: 'answer before the commit',
    edits: [
      {
        file: 'actors/reservation/acceptance.ts',
        find: '= await this.#inserts.add(row).catch(toUnavailable)',
        replace:
          '= (this.#inserts.add(row).catch(() => {}), { at: new Date(), accepted: new Set([reservationid]) })',
      },
    ],
    scenario: 'postgres-stopped',
    caughtBy: ['every 201 has one outcome'],
  },
  {
    name: 'respond with a row that is not stored',
    edits: [
      {
        file: 'actors/reservation/acceptance.ts',
        find: 'if (row.keyed && !accepted?.has(reservationid)) return',
        replace: 'if (row.keyed && !accepted) return',
      },
    ],
    scenario: 'same-key',
    caughtBy: ['responses match the stored rows'],
  },
  {
    name: 'resend by the clock of the process',
    edits: [
      {
        file: 'actors/reservation/resend.ts',
        find: 'const dueBefore = await answeredBefore(options, partition, at, marks)',
        replace: 'const dueBefore = (await answeredBefore(options, partition, at, marks)) && new Date()',
      },
    ],
    scenario: 'clocks-apart',
    caughtBy: ['it recovers in time', 'every 201 has one outcome', 'all is quiet in the end'],
  },
  {
    name: 'forget the key',
    edits: [
      {
        file: 'platform/http/idempotency.ts',
        find: 'return claimed.id',
        replace: 'return crypto.randomUUID()',
      },
    ],
    scenario: 'same-key',
    caughtBy: ['one key, one reservation'],
  },
  {
    name: 'ignore all but the first step',
    edits: [
      {
        file: 'actors/reservation/verdict.ts',
        find: 'const status = its[becomes[from]?.status ?? from]',
        replace: 'const status = becomes[from] ? undefined : its[from]',
      },
    ],
    scenario: 'zombie-reservation',
    caughtBy: ['every 201 has one outcome'],
  },
  {
    name: 'tally the wrong chunk',
    edits: [
      {
        file: 'actors/reservation/queue.ts',
        find: 'select bookid, place >> 8 as chunk, sum(change)::int as change from (',
        replace: 'select bookid, (place >> 8) + 1 as chunk, sum(change)::int as change from (',
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['the queues match the events', 'positions are within the queue'],
  },
]
