/**
 * A dispatcher delivers the notices of one channel.
 *
 *   ┌─▶ record results ──▶ claim as many as there is room for ──▶ start deliveries ──▶ wait to be woken ─┐
 *   └────────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * It is woken when a delivery ends and when new notices are due, and polls now and then. Deliveries that end while a
 * statement runs are recorded together by the next one.
 *
 * M1. Every channel has its own dispatcher, so a dead or slow channel delays no other.
 * M2. Record results before claiming more. If they can't be recorded, stop sending, so an outage of Postgres never causes
 *     duplicates.
 * M3. A claim is renewed while its delivery runs. So no other process claims a notice in flight, however slow its receiver,
 *     and the notices of a process that died are soon due again. While Postgres is down no claim can be renewed. When it is
 *     back, nothing is claimed for a moment, so that every process can first record what it sent meanwhile.
 * M4. When a dispatcher stops, running deliveries get a short grace period; longer ones are left to the lease.
 * M5. A delivery uses the state at the time of the claim: superseded and suppressed notices are not claimed, and addresses are
 *     read with the claim. An event may not have withdrawn the notice that it supersedes (`supersession.ts`), such as an
 *     outcome that was given up and that an operator retries: then the dispatcher looks for that event. A reminder is not sent
 *     after its deadline.
 */

import type { Series } from '../../../platform/busy-lines.ts'
import { traceFacts } from '../../../platform/http/trace.ts'
import { Backoff } from '../../../streams/backoff.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { Pulse } from '../../../streams/pulse.ts'
import type { ChannelName } from '../channels/all.ts'
import { isOver } from '../plan/reminder.ts'
import { addressesOf, fallbackOf, type Routing, routeOf } from '../plan/routing.ts'
import { allSupersededBy, mayBeUntrue } from '../plan/supersession.ts'
import { readExisting } from '../store.ts'
import type { Channel, DueNotice, Outcome } from './delivery.ts'
import { type Claimed, claimDue, type Mark, markAll, renewClaims } from './queue.ts'
import { markOf } from './retry.ts'
import { WakeSignal } from './wake-signal.ts'

/** How long a claim lasts, and how often it is renewed during its delivery. */
const leaseMs = 10_000
const renewMs = 3_000
/** How long nothing is claimed after an outage of Postgres: longer than a dispatcher's backoff. */
const afterOutageMs = 3_000
/** How often an idle dispatcher polls: other processes do not wake it for their notices. */
const pollMs = 1_000
/** How long running deliveries may take once the dispatcher stops. */
const graceMs = 2_500

export type DispatcherOptions = {
  channel: Channel<ChannelName>
  sql: Sql
  routing: Routing
  /** How long failures are gathered before operators are notified. */
  gatherMs: number
  /** For the line of each notice that was sent. */
  lines: Pick<Series, 'add'>
  log: { info(facts: object, text: string): void; warn(facts: object, text: string): void }
  /** Called with the number of notices that had this outcome. */
  count(outcome: Mark['outcome'], notices: number): void
  /** Called when notices have moved to other channels, whose dispatchers may be waiting. */
  onFallback?: () => void
  random?: () => number
  pollMs?: number
  graceMs?: number
  leaseMs?: number
  renewMs?: number
  afterOutageMs?: number
}

export class Dispatcher {
  readonly pulse: Pulse
  readonly #options: Required<DispatcherOptions>
  readonly #wakeSignal = new WakeSignal()
  readonly #backoff: Backoff
  /** Claimed and not recorded yet, by seq. */
  readonly #inFlight = new Map<number, Claimed>()
  #renewedAt = 0
  /**
   * When Postgres last answered a claim, and when the next may be made. The start counts as the end of an outage: there may have
   * been one, after which others have results to record.
   */
  #answeredAt = Number.NEGATIVE_INFINITY
  #claimFrom = 0
  readonly #done: Mark[] = []

  constructor(options: DispatcherOptions) {
    this.#options = {
      random: Math.random,
      pollMs,
      graceMs,
      leaseMs,
      renewMs,
      afterOutageMs,
      onFallback() {},
      ...options,
    }
    this.#backoff = new Backoff({ initialMs: 50, maxMs: 2_000, random: this.#options.random })
    this.pulse = new Pulse(`dispatch-${options.channel.name}`)
  }

  /** Call it when new notices may be due. */
  wake(): void {
    this.#wakeSignal.wake()
  }

  /** Dispatches until `signal` is aborted, then records the last results. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const more = await this.#turn()
        this.#backoff.reset()
        this.pulse.beat(more ? 0 : this.#options.pollMs)
        if (!more) await this.#wakeSignal.wait(this.#options.pollMs, signal)
      } catch (error) {
        this.pulse.fail(error)
        this.#options.log.warn({ err: error, channel: this.#options.channel.name }, 'cannot dispatch')
        await this.#backoff.wait(signal)
      }
    }
    await this.#stop()
  }

  /** @returns whether there may be more to do at once. */
  async #turn(): Promise<boolean> {
    const { channel, sql, leaseMs } = this.#options
    await this.#record()
    await this.#renew()
    const room = channel.capacity - this.#inFlight.size
    if (room <= 0 || (channel.restMs?.() ?? 0) > 0) {
      this.#answeredAt = performance.now()
      return false
    }
    if (!(await this.#mayClaim())) return false
    const due = await claimDue(sql, channel.name, room, leaseMs)
    this.#answeredAt = performance.now()
    this.#deliver(due, await this.#readUntrue(due))
    return this.#done.length > 0 || (due.length === room && this.#inFlight.size < channel.capacity)
  }

  /** Pauses claims. No answer of Postgres is expected meanwhile. */
  #pause(): void {
    this.#claimFrom = performance.now() + this.#options.afterOutageMs
    this.#answeredAt = this.#claimFrom
  }

  /** @throws while Postgres is down. */
  async #mayClaim(): Promise<boolean> {
    const { sql, leaseMs, pollMs } = this.#options
    // A claim may have expired: in the worst case it had not been renewed for a while before.
    if (performance.now() - this.#answeredAt > Math.max(leaseMs * 0.3, pollMs * 2)) {
      await sql`select 1`
      this.#pause()
    }
    return performance.now() >= this.#claimFrom
  }

  #deliver(due: Claimed[], untrue: ReadonlySet<Claimed>): void {
    const { channel, routing } = this.#options
    for (const claimed of due) {
      if (this.#isInFlight(claimed)) continue
      if (untrue.has(claimed)) {
        this.#done.push(supersededMark(claimed, channel.name))
        continue
      }
      const notice = dueNoticeOf(claimed, routing)
      this.#await(notice.seq, channel.deliver(notice))
    }
  }

  /** @returns the notices that a later event, or time, has made untrue (M5). */
  async #readUntrue(due: Claimed[]): Promise<ReadonlySet<Claimed>> {
    const over = due.filter(isOver)
    const doubtful = due.filter(mayBeUntrue).map((notice) => ({ notice, later: allSupersededBy(notice) }))
    if (doubtful.length === 0) return new Set(over)
    const existing = await readExisting(
      this.#options.sql,
      doubtful.flatMap((it) => it.later),
    )
    const untrue = doubtful.filter(({ later }) => later.some((it) => existing.has(it)))
    return new Set([...over, ...untrue.map((it) => it.notice)])
  }

  /** A claim may expire during its delivery, and we may claim it again: the delivery then counts for the new claim. */
  #isInFlight(notice: Claimed): boolean {
    const known = this.#inFlight.has(notice.seq)
    this.#inFlight.set(notice.seq, notice)
    return known
  }

  #await(seq: number, outcome: Promise<Outcome>): void {
    const broken = (error: Error): Outcome => ({ type: 'retry', error: error.name })
    outcome.catch(broken).then((it) => {
      this.#finishDelivery(this.#inFlight.get(seq)!, it)
      this.#wakeSignal.wake()
    })
  }

  #finishDelivery(notice: Claimed, outcome: Outcome): void {
    const { channel, lines, log, random, routing } = this.#options
    const mark = markOf({
      notice,
      channel: channel.name,
      outcome,
      ageMs: notice.ageMs,
      fallback: fallbackOf(notice, notice, [...notice.refused, channel.name], routing),
      random,
    })
    this.#done.push(mark)
    const facts = () => factsOf(notice, channel.name)
    const line = { outcome: channel.name, id: notice.noticeid, waitMs: notice.ageMs }
    if (mark.outcome === 'sent') lines.add(line, () => log.info(facts(), 'notice sent'))
    else if (mark.outcome !== 'deferred')
      log.warn({ ...facts(), reason: mark.error, next: mark.next ?? undefined }, notSent[mark.outcome])
  }

  async #record(): Promise<void> {
    if (this.#done.length === 0) return
    const { sql, count, routing, gatherMs, onFallback } = this.#options
    const marks = this.#done.slice()
    const channels = routeOf({ kind: 'delivery-failed', userid: null }, undefined, routing)
    await markAll(sql, marks, { channels, gatherMs })
    // Only now: after an error they are recorded again, together with newer ones.
    this.#done.splice(0, marks.length)
    for (const { seq } of marks) this.#inFlight.delete(seq)
    for (const [outcome, some] of Object.entries(Object.groupBy(marks, (it) => it.outcome))) {
      count(outcome as Mark['outcome'], some.length)
    }
    if (marks.some((it) => it.next)) onFallback()
  }

  async #renew(): Promise<void> {
    const { sql, leaseMs, renewMs } = this.#options
    if (performance.now() - this.#renewedAt < renewMs) return
    this.#renewedAt = performance.now()
    if (this.#inFlight.size > 0) await renewClaims(sql, [...this.#inFlight.values()], leaseMs)
  }

  async #stop(): Promise<void> {
    const { channel, log, graceMs } = this.#options
    const signal = AbortSignal.timeout(graceMs)
    while (this.#inFlight.size > this.#done.length && !signal.aborted)
      await this.#wakeSignal.wait(graceMs, signal)
    channel.close?.()
    try {
      await this.#record()
    } catch (error) {
      log.warn(
        { err: error, channel: channel.name },
        'cannot record results: the notices are due again when their claims expire',
      )
    }
  }
}

function factsOf(notice: Claimed, channel: ChannelName) {
  const { noticeid, kind, reservationid, bookid, attempts, traceparent } = notice
  return { noticeid, kind, channel, reservationid, bookid, attempts, ...traceFacts(traceparent) }
}

const notSent = {
  retry: 'notice not sent: retrying',
  fallback: 'notice not sent: trying the next channel',
  failed: 'notice not sent: giving up',
  superseded: 'notice not sent: superseded',
}

const dueNoticeOf = (claimed: Claimed, routing: Routing): DueNotice => ({
  ...claimed,
  ...addressesOf(claimed, claimed, routing),
  locale: claimed.locale ?? routing.locale,
  timeZone: routing.timeZone,
})

const supersededMark = ({ seq, attempts }: Claimed, channel: ChannelName): Mark => ({
  seq,
  attempts,
  channel,
  outcome: 'superseded',
  next: null,
  error: null,
  answer: null,
  afterMs: 0,
})
