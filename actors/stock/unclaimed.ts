/**
 * Copies that were set aside before their book had rules. They have no claim: they are in no list of copies to fetch, and their
 * customers could reserve the book twice. This loop finds them and sends `ClaimHold` for each; the book's actor adds the claim, so
 * it does not cross anything that happens to the hold meanwhile.
 *
 * It looks when the process starts, when the rules of a book change, and once an hour, because that change may have been committed
 * by a process that then died. Books are compared first: the copies that a book holds, and its claims. Holds have no index by
 * book, which every reservation would pay for, so only if a book lacks claims are all holds read, page by page. Messages may
 * be lost, so the loop looks again until no claim is missing.
 *
 * Without any rules, a look is one search in an empty index.
 */
import type { Log } from '../../platform/log.ts'
import { Rounds } from '../../platform/rounds.ts'
import type { Envelope } from '../../streams/envelope.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Sender } from '../../streams/sender.ts'
import { type BookRules, loopCommand } from '../messages.ts'
import { isOriginal, type Rules, rulesOf } from './rules.ts'

const idleMs = 3_600_000
/** Stock needs a moment for what was sent. The pause doubles while claims are missing all the same. */
const againMs = 5_000
const booksMax = 1_000
const holdsMax = 5_000
/** Messages under way at a time. */
const sentMax = 200

type UnclaimedOptions = {
  sql: Sql
  sender: Pick<Sender, 'send'>
  /** The installation's rules. */
  defaults: Rules
  /** By Postgres's clock. */
  now(): Date
  log: Log
  /** While false, nothing is sent. */
  maySend(): boolean
}

/** Woken when the rules of a book have changed. */
export class Unclaimed extends Rounds {
  readonly #options: UnclaimedOptions
  #pauseMs = againMs

  constructor(options: UnclaimedOptions) {
    super({ name: 'unclaimed' })
    this.#options = options
  }

  protected async round(signal: AbortSignal): Promise<number> {
    const isDone = this.#options.maySend() && (await this.sendAll(signal)) === 0
    const longerMs = this.#pauseMs === idleMs ? againMs : Math.min(idleMs, this.#pauseMs * 2)
    this.#pauseMs = isDone ? idleMs : longerMs
    return this.#pauseMs
  }

  protected failed(error: unknown): number {
    this.#options.log.warn({ err: error }, 'cannot look for holds without claims yet')
    this.#pauseMs = againMs
    return againMs
  }

  /** @returns how many messages were sent. */
  async sendAll(signal: AbortSignal): Promise<number> {
    const { sql, sender, defaults, now, log } = this.#options
    const books = await booksWithout(sql, defaults)
    if (books.length === 0) return 0
    let count = 0
    for (let after: string | null = lowestUuid; after !== null && !signal.aborted; ) {
      this.pulse.turn()
      const { last, found }: Page = await unclaimedAfter(sql, after, books)
      for (let i = 0; i < found.length; i += sentMax)
        await Promise.all(found.slice(i, i + sentMax).map((it) => sender.send(claimHold(it, now()))))
      count += found.length
      after = last
    }
    log.info({ books: books.length, holds: count }, 'sent holds without claims')
    return count
  }
}

const lowestUuid = '00000000-0000-0000-0000-000000000000'

type UnclaimedHold = { reservationid: string; bookid: string }
type Page = { last: string | null; found: UnclaimedHold[] }

/** @returns books with rules that hold more copies than they have claims for. */
async function booksWithout(sql: Sql, defaults: Rules): Promise<string[]> {
  const books: string[] = []
  const onlyOwn = isOriginal(defaults)
  for (let after = ''; ; ) {
    const page = await sql<{ bookid: string; rules: BookRules | null; lacks: boolean }[]>`
      select bookid, rules, held > 0 and held > (
        select count(*) from claim c where c.bookid = b.bookid and c.kind in ('held', 'ready')
      ) as lacks
      from book b where bookid > ${after} ${onlyOwn ? sql`and rules is not null` : sql``}
      order by bookid limit ${booksMax}`
    for (const { bookid, rules, lacks } of page)
      if (lacks && !isOriginal(rulesOf(defaults, rules))) books.push(bookid)
    if (page.length < booksMax) return books
    after = page.at(-1)!.bookid
  }
}

/** Reads one page of holds. `last` is null after the last page. */
async function unclaimedAfter(sql: Sql, after: string, books: string[]): Promise<Page> {
  const [page] = await sql<Page[]>`
    with page as materialized (
      select reservationid, bookid, status from hold
      where reservationid > ${after} order by reservationid limit ${holdsMax}
    )
    select (select reservationid from page order by reservationid desc limit 1) as last,
      (select coalesce(json_agg(h), '[]') from (
        select reservationid, bookid from page p
        where status = 'held' and bookid = any(${books}::text[])
          and not exists (select from claim c where c.reservationid = p.reservationid)
        order by reservationid
      ) h) as found`
  return page!
}

const claimHold = (hold: UnclaimedHold, at: Date): Envelope =>
  loopCommand('/stock/unclaimed', `${hold.reservationid}/ClaimHold`, at, { type: 'ClaimHold', ...hold })
