/**
 * Notifies waiting requests, in any process, that the answer they wait for is known.
 *
 * A worker announces answers after its commit: on a Redis pub/sub channel, and directly to the waiters of its own process.
 * Announcements may be lost, so answers that do not arrive are looked up (`lookup`), and again by the caller at the end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { deadline } from './deadline.ts'
import { Pulse } from './pulse.ts'
import { commandTimeoutMs, isReplyError, openRedis, type RedisClient } from './redis.ts'

/** How long waiters rely on announcements before their answers are looked up, all at once. */
const lookupMs = 1_000
/** How often one timer looks for waits whose time is up. A timer per wait would cost more. */
const expireEveryMs = 50
/** How long a wait lasts before it looks whether its client is gone. Most are over by then, and to look costs more than to wait. */
const lookAfterMs = 1_000
/** How often the subscription is repeated: only a reply shows that its connection still works. */
const confirmMs = 4_000

type Listener<Answer> = (answer: Answer) => void

/** @returns whether the client that waits has disconnected. */
export type IsGone = () => boolean

export type Waiting<Answer> = Disposable & { readonly answer: Promise<Answer | undefined> }

export type WakeupOptions<Answer> = {
  redisUrl: string
  channel: string
  /** A client that may publish. */
  redis: RedisClient
  /** Aborted when all waits must end. */
  stopping: AbortSignal
  /** The schema of an answer: any client may publish on a channel. */
  answer: z.ZodType<Answer>
  idOf(answer: Answer): string
  /** Whether there is no other process to notify. A process that has just started looks its answers up. */
  alone?(): boolean
  /** @returns the answers for these ids that are known by now. Called when announcements do not arrive. */
  lookup(ids: string[]): Promise<Answer[]>
}

export class Wakeup<Answer> implements AsyncDisposable {
  readonly #options: WakeupOptions<Answer>
  /** Of the lookups. */
  readonly pulse = new Pulse('wakeup')
  #subscriber: RedisClient
  readonly #listeners = new Map<string, Set<Listener<Answer>>>()
  readonly #waits: Waits<Answer> = new Map()
  #expiring: NodeJS.Timeout | undefined
  /** Marks the announcements of this process, whose waiters were notified directly. */
  readonly #sender = crypto.randomUUID()

  constructor(options: WakeupOptions<Answer>) {
    this.#options = options
    this.#subscriber = this.#openSubscriber()
    // One listener serves all waits, because removing one of many listeners is slow.
    options.stopping.addEventListener('abort', () => this.#endWaits())
  }

  #openSubscriber(): RedisClient {
    const { redisUrl, channel, answer } = this.#options
    const subscriber = openRedis(redisUrl, channel)
    const answers = z.array(answer)
    subscriber.on('ready', () => void subscriber.subscribe(channel).catch(() => {}))
    subscriber.on('message', (_channel: string, text: string) => {
      if (!text.startsWith(this.#sender)) this.#notify(answersIn(text, answers))
    })
    return subscriber
  }

  /** Announces answers. Call it after the commit. Never throws, never waits. */
  announce(answers: Answer[]): void {
    if (answers.length === 0) return
    this.#notify(answers)
    if (this.#options.alone?.()) return
    this.#options.redis.publish(this.#options.channel, this.#sender + JSON.stringify(answers)).catch(() => {})
  }

  /** Calls `listener` with every answer about `id`, until the function returned is called. */
  listen(id: string, listener: Listener<Answer>): () => void {
    const listeners = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      // A second call must not remove listeners that have come since: they are in a new set.
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id)
    }
  }

  /**
   * Waits for the next answer about `id`. Call it before asking the question, so that the answer cannot be missed, and
   * dispose of the wait if the question could not be asked.
   * @param isGone called only once the wait has lasted for `lookAfterMs`.
   * @returns an answer that is undefined when `timeoutMs` passed, the process is stopping, the client is gone, or the wait was
   *   disposed of.
   */
  next(id: string, timeoutMs: number, isGone?: IsGone): Waiting<Answer> {
    const wait = new Wait(this.#waits, id, timeoutMs, isGone)
    this.#expiring ??= setInterval(() => this.#endWaits(performance.now()), expireEveryMs)
    if (this.#options.stopping.aborted) wait.end()
    return wait
  }

  /** @param now ends only those that are over by then. */
  #endWaits(now = Number.POSITIVE_INFINITY): void {
    for (const its of this.#waits.values()) for (const wait of its.filter((it) => it.isOver(now))) wait.end()
    if (this.#waits.size > 0) return
    clearInterval(this.#expiring)
    this.#expiring = undefined
  }

  /** Looks overdue answers up, and keeps the subscription alive, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#lookUp(signal), this.#keepListening(signal)])
  }

  async #lookUp(signal: AbortSignal): Promise<void> {
    let before = new Set<string>()
    while (!signal.aborted) {
      await sleep(lookupMs, undefined, { signal }).catch(() => {})
      const asked = new Set([...this.#waits.keys(), ...this.#listeners.keys()])
      const overdue = [...asked].filter((id) => before.has(id))
      before = asked
      try {
        if (overdue.length > 0) this.#notify(await this.#options.lookup(overdue))
        this.pulse.beat(lookupMs)
      } catch (error) {
        // The waiters have time limits of their own.
        this.pulse.fail(error, lookupMs)
      }
    }
  }

  /** Without announcements a subscriber receives nothing, so a dead connection would not be noticed. */
  async #keepListening(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(confirmMs, undefined, { signal }).catch(() => {})
      const subscriber = this.#subscriber
      if (signal.aborted) return
      try {
        await deadline(commandTimeoutMs, 'subscribe', subscriber.subscribe(this.#options.channel))
      } catch (error) {
        if (isReplyError(error)) continue
        // In a cluster the driver's connection for this has no time limits, so the whole client is replaced.
        subscriber.disconnect()
        this.#subscriber = this.#openSubscriber()
      }
    }
  }

  #notify(answers: Answer[]): void {
    for (const answer of answers) {
      const id = this.#options.idOf(answer)
      const waits = this.#waits.get(id)
      if (waits) for (const wait of [...waits]) wait.end(answer)
      const listeners = this.#listeners.get(id)
      if (listeners) for (const listener of listeners) listener(answer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriber.disconnect()
  }
}

/** By the id of the answer that they wait for. */
type Waits<Answer> = Map<string, Wait<Answer>[]>

/** A class, because a closure for each way to end would make a wait twice as expensive. */
class Wait<Answer> implements Waiting<Answer> {
  readonly answer: Promise<Answer | undefined>
  /** By `performance.now()`, as all instants here. */
  readonly #since = performance.now()
  readonly #until: number
  readonly #resolve: (answer: Answer | undefined) => void
  readonly #waits: Waits<Answer>
  readonly #id: string
  #isGone: IsGone | undefined

  constructor(waits: Waits<Answer>, id: string, timeoutMs: number, isGone: IsGone | undefined) {
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>()
    this.answer = promise
    this.#resolve = resolve
    this.#until = this.#since + timeoutMs
    this.#waits = waits
    this.#id = id
    this.#isGone = isGone
    const others = waits.get(id)
    if (others) others.push(this)
    else waits.set(id, [this])
  }

  /** Whether its time is up, or its client is gone. */
  isOver(now: number): boolean {
    return now >= this.#until || (now >= this.#since + lookAfterMs && this.#isGone?.() === true)
  }

  /**
   * Only the first call has an effect. Drops the reference to the request: a Map that grows or is compacted leaves its former
   * table behind, and whatever that table refers to may survive many collections.
   */
  end(answer?: Answer): void {
    const its = this.#waits.get(this.#id)
    const at = its?.indexOf(this) ?? -1
    if (!its || at < 0) return
    its.splice(at, 1)
    if (its.length === 0) this.#waits.delete(this.#id)
    this.#isGone = undefined
    this.#resolve(answer)
  }

  [Symbol.dispose](): void {
    this.end()
  }
}

/** Every announcement begins with a UUID. */
const senderLength = 36

/** @returns none if the text is not an announcement of answers. */
function answersIn<Answer>(text: string, answers: z.ZodType<Answer[]>): Answer[] {
  try {
    return answers.parse(JSON.parse(text.slice(senderLength)))
  } catch {
    return []
  }
}
