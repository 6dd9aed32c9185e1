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
/** How often the subscription is repeated: only a reply shows that its connection still works. */
const confirmMs = 4_000

type Listener<Answer> = (answer: Answer) => void

/** The part of an `AbortSignal` that is needed. */
export type Gone = {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}

export type Waiting<Answer> = Promise<Answer | undefined> & Disposable

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
  /** Ends each wait. One listener on `stopping` serves all, because removing one of many listeners is slow. */
  readonly #waiting = new Set<() => void>()
  /** Marks the announcements of this process, whose waiters were notified directly. */
  readonly #sender = crypto.randomUUID()

  constructor(options: WakeupOptions<Answer>) {
    this.#options = options
    this.#subscriber = this.#openSubscriber()
    options.stopping.addEventListener('abort', () => {
      for (const leave of this.#waiting) leave()
    })
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
   * @param gone aborted when the client has disconnected.
   * @returns undefined when `timeoutMs` passed, the process is stopping, the client is gone, or the wait was disposed of.
   */
  next(id: string, timeoutMs: number, gone?: Gone): Waiting<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>()
    const end = (answer?: Answer) => {
      clearTimeout(timer)
      gone?.removeEventListener('abort', leave)
      stopListening()
      this.#waiting.delete(leave)
      resolve(answer)
    }
    const leave = () => end()
    const timer = setTimeout(leave, timeoutMs)
    const stopListening = this.listen(id, end)
    this.#waiting.add(leave)
    gone?.addEventListener('abort', leave)
    if (this.#options.stopping.aborted || gone?.aborted) leave()
    return Object.assign(promise, { [Symbol.dispose]: leave })
  }

  /** Looks overdue answers up, and keeps the subscription alive, until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#lookUp(signal), this.#keepListening(signal)])
  }

  async #lookUp(signal: AbortSignal): Promise<void> {
    let before = new Set<string>()
    while (!signal.aborted) {
      await sleep(lookupMs, undefined, { signal }).catch(() => {})
      const overdue = [...this.#listeners.keys()].filter((id) => before.has(id))
      before = new Set(this.#listeners.keys())
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
      for (const listener of this.#listeners.get(this.#options.idOf(answer)) ?? []) listener(answer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriber.disconnect()
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
