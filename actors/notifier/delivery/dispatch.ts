/**
 * A dispatcher: takes the notices of one channel to their receivers.
 *
 *   ┌─▶ mark what is done ──▶ claim what there is room for ──▶ hand it over ──▶ wait for the bell ─┐
 *   └──────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * The bell rings when a delivery ends, when new notices are due, and now and then by itself. Whatever ended while a
 * statement ran is marked together in the next.
 *
 * D1. Every channel has its own dispatcher, so one that is dead or slow holds up no other.
 * D2. What was told is marked before anything more is claimed: while it cannot be marked, nothing more is told, and so
 *     nothing of ours is told twice for want of Postgres.
 * D3. A claim is renewed as long as its delivery goes on. So what is in hand is not claimed by others, however slow its
 *     receiver, and what was in the hand of a process that died is soon due again.
 *     While Postgres is away no claim can be renewed. When it is back, nothing is claimed for a moment, so that whoever has
 *     told something meanwhile can say so.
 * D4. When it stops, deliveries under way get a moment; those that take longer are left to the lease.
 * D5. What is handed over is what is true and known at the moment of the claim: a notice that was superseded or suppressed
 *     is not claimed, and addresses are read with the claim. An outcome that an operator has tried again was withdrawn by no
 *     cancellation, for it was given up: it is looked for here.
 */
import { Backoff } from '../../../streams/backoff.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { Pulse } from '../../../streams/pulse.ts'
import type { Series } from '../../busy-lines.ts'
import { traceIdOf } from '../../http/trace.ts'
import type { ChannelName } from '../channels/all.ts'
import { cancellationOf, isOutcome } from '../plan/plan.ts'
import { addressesOf, fallbackOf, type Routing, routeOf } from '../plan/routing.ts'
import { readKnown } from '../store.ts'
import { Bell } from './bell.ts'
import type { Channel, DueNotice, Outcome } from './delivery.ts'
import { type Claimed, claimDue, type Mark, markAll, renewClaims } from './queue.ts'
import { markOf } from './retry.ts'

/** How long a claim lasts, and how often that of a delivery that goes on is renewed. */
const leaseMs = 10_000
const renewMs = 3_000
/** How long nothing is claimed after an outage of Postgres: longer than a dispatcher waits before it tries to mark again. */
const afterOutageMs = 3_000
/** How long an idle dispatcher waits for the bell: notices of other processes come without one. */
const pollMs = 1_000
/** What deliveries under way are given when the dispatcher stops. */
const graceMs = 2_500

export type DispatcherOptions = {
  channel: Channel<ChannelName>
  sql: Sql
  routing: Routing
  /** How long failures are gathered before operators are told of them. */
  gatherMs: number
  /** For the line of each notice that was sent. */
  lines: Pick<Series, 'add'>
  log: { info(facts: object, text: string): void; warn(facts: object, text: string): void }
  /** Told of what became of notices: a number of them at a time. */
  count(outcome: Mark['outcome'], notices: number): void
  /** Told when notices go on to other channels, whose dispatchers may be waiting for the bell. */
  handedOn?: () => void
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
  readonly #bell = new Bell()
  readonly #backoff: Backoff
  /** What is claimed and not marked yet. */
  readonly #inHand = new Map<number, Claimed>()
  #renewedAt = 0
  /**
   * When Postgres was last asked for claims and answered, and from when on it may be asked again. Nobody knows what was
   * before the start: perhaps an outage, after which others have something to mark.
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
      handedOn() {},
      ...options,
    }
    this.#backoff = new Backoff({ initialMs: 50, maxMs: 2_000, random: this.#options.random })
    this.pulse = new Pulse(`dispatch-${options.channel.name}`)
  }

  /** New notices may be due. */
  ring(): void {
    this.#bell.ring()
  }

  /** Dispatches until `signal` is aborted, and marks what is done by then. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const more = await this.#turn()
        this.#backoff.reset()
        this.pulse.beat(more ? 0 : this.#options.pollMs)
        if (!more) await this.#bell.wait(this.#options.pollMs, signal)
      } catch (error) {
        this.pulse.fail(error)
        this.#options.log.warn({ err: error, channel: this.#options.channel.name }, 'cannot dispatch')
        await this.#backoff.wait(signal)
      }
    }
    await this.#finish()
  }

  /** @returns whether there is, or may be, something to do at once. */
  async #turn(): Promise<boolean> {
    const { channel, sql, leaseMs } = this.#options
    await this.#mark()
    await this.#renew()
    const room = channel.capacity - this.#inHand.size
    if (room <= 0 || (channel.restMs?.() ?? 0) > 0) {
      this.#answeredAt = performance.now()
      return false
    }
    if (!(await this.#mayClaim())) return false
    const due = await claimDue(sql, channel.name, room, leaseMs)
    this.#answeredAt = performance.now()
    this.#handOver(due, await this.#untrue(due))
    return this.#done.length > 0 || (due.length === room && this.#inHand.size < channel.capacity)
  }

  /** While it rests Postgres is not asked, and need not have answered. */
  #rest(): void {
    this.#claimFrom = performance.now() + this.#options.afterOutageMs
    this.#answeredAt = this.#claimFrom
  }

  /** @throws while Postgres is away. */
  async #mayClaim(): Promise<boolean> {
    const { sql, leaseMs, pollMs } = this.#options
    // Long enough for a claim to have run out: at the worst it was not renewed for a while before.
    if (performance.now() - this.#answeredAt > Math.max(leaseMs * 0.3, pollMs * 2)) {
      await sql`select 1`
      this.#rest()
    }
    return performance.now() >= this.#claimFrom
  }

  #handOver(due: Claimed[], untrue: ReadonlySet<Claimed>): void {
    const { channel, routing } = this.#options
    for (const claimed of due) {
      if (this.#takeBack(claimed)) continue
      if (untrue.has(claimed)) {
        this.#done.push(withdrawn(claimed, channel.name))
        continue
      }
      const notice = addressed(claimed, routing)
      this.#await(notice.seq, channel.deliver(notice))
    }
  }

  /** @returns the outcomes among those tried again (D5) that a cancellation has made untrue. */
  async #untrue(due: Claimed[]): Promise<ReadonlySet<Claimed>> {
    const doubtful = due.filter((it) => it.retried && isOutcome(it.kind))
    if (doubtful.length === 0) return new Set()
    const cancellations = doubtful.map((it) => cancellationOf(it.reservationid!))
    const known = await readKnown(this.#options.sql, cancellations)
    return new Set(doubtful.filter((_, index) => known.has(cancellations[index]!)))
  }

  /** A claim may run out while its delivery goes on, and we may claim it again: the delivery counts for both. */
  #takeBack(notice: Claimed): boolean {
    const known = this.#inHand.has(notice.seq)
    this.#inHand.set(notice.seq, notice)
    return known
  }

  #await(seq: number, outcome: Promise<Outcome>): void {
    const broken = (error: Error): Outcome => ({ type: 'retry', error: error.name })
    outcome.catch(broken).then((it) => {
      this.#note(this.#inHand.get(seq)!, it)
      this.#bell.ring()
    })
  }

  #note(notice: Claimed, outcome: Outcome): void {
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
    const { noticeid, kind, reservationid, bookid, attempts, traceparent } = notice
    const traceid = traceIdOf(traceparent)
    const facts = { noticeid, kind, channel: channel.name, reservationid, bookid, attempts, traceid }
    const line = { outcome: channel.name, id: noticeid, waitMs: notice.ageMs }
    if (mark.outcome === 'sent') lines.add(line, () => log.info(facts, 'told'))
    else if (mark.outcome !== 'deferred')
      log.warn({ ...facts, reason: mark.error, next: mark.next ?? undefined }, `cannot tell: ${mark.outcome}`)
  }

  async #mark(): Promise<void> {
    if (this.#done.length === 0) return
    const { sql, count, routing, gatherMs, handedOn } = this.#options
    const marks = this.#done.slice()
    const channels = routeOf({ kind: 'delivery-failed', userid: null }, undefined, routing)
    await markAll(sql, marks, { channels, gatherMs })
    // Only now: after a failure they are marked again, with what has come since.
    this.#done.splice(0, marks.length)
    for (const { seq } of marks) this.#inHand.delete(seq)
    for (const [outcome, some] of Object.entries(Object.groupBy(marks, (it) => it.outcome))) {
      count(outcome as Mark['outcome'], some.length)
    }
    if (marks.some((it) => it.next)) handedOn()
  }

  async #renew(): Promise<void> {
    const { sql, leaseMs, renewMs } = this.#options
    if (performance.now() - this.#renewedAt < renewMs) return
    this.#renewedAt = performance.now()
    if (this.#inHand.size > 0) await renewClaims(sql, [...this.#inHand.values()], leaseMs)
  }

  async #finish(): Promise<void> {
    const { channel, log, graceMs } = this.#options
    const signal = AbortSignal.timeout(graceMs)
    while (this.#inHand.size > this.#done.length && !signal.aborted) await this.#bell.wait(graceMs, signal)
    channel.close?.()
    try {
      await this.#mark()
    } catch (error) {
      log.warn({ err: error, channel: channel.name }, 'cannot mark: the claims run out by themselves')
    }
  }
}

/** What a channel is given: the notice, and where it goes. */
const addressed = (claimed: Claimed, routing: Routing): DueNotice => ({
  ...claimed,
  ...addressesOf(claimed, claimed, routing),
  locale: claimed.locale ?? routing.locale,
})

const withdrawn = ({ seq, attempts }: Claimed, channel: ChannelName): Mark => ({
  seq,
  attempts,
  channel,
  outcome: 'superseded',
  next: null,
  error: null,
  answer: null,
  afterMs: 0,
})
