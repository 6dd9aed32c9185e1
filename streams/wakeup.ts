/**
 * Tells whoever holds a request that what it waits for is decided, in whichever process that is.
 *
 * A worker announces after its commit, on a Redis pub/sub channel and straight to the waiters of its own process.
 * Announcements may be lost: a waiter that hears nothing looks the answer up (`lookup`), and does so at its end anyway.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { deadline } from './deadline.ts'
import { Pulse } from './pulse.ts'
import { commandTimeoutMs, isReplyError, openRedis, type RedisClient } from './redis.ts'

/** How long waiters rely on announcements before the answers are looked up, all at once. */
const lookupMs = 1_000
/** How often the subscription is made once more: only an answer shows that its connection still brings anything. */
const confirmMs = 4_000

type Listener<Answer> = (answer: Answer) => void

/** What is needed of an `AbortSignal`. */
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
  /** Aborted when nobody is to wait any longer. */
  stopping: AbortSignal
  /** What an announcement must hold to be believed: anybody may publish on a channel. */
  answer: z.ZodType<Answer>
  idOf(answer: Answer): string
  /** Whether there is no other process to tell. One that has just come looks its answers up. */
  alone?(): boolean
  /** The answers known by now to what these ids wait for. Asked when announcements fail to come. */
  lookup(ids: string[]): Promise<Answer[]>
}

export class Wakeup<Answer> implements AsyncDisposable {
  readonly #options: WakeupOptions<Answer>
  /** That of the looking up. */
  readonly pulse = new Pulse('wakeup')
  #subscriber: RedisClient
  readonly #listeners = new Map<string, Set<Listener<Answer>>>()
  /** Those who wait for one answer. One listener on `stopping` serves them all: it would search them one by one. */
  readonly #waiting = new Set<() => void>()
  /** Tells our own announcements apart: their waiters have heard them already. */
  readonly #self = crypto.randomUUID()

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
      if (!text.startsWith(this.#self)) this.#tell(answersIn(text, answers))
    })
    return subscriber
  }

  /** Announces what was decided. Called after the commit; never throws, never waits. */
  announce(answers: Answer[]): void {
    if (answers.length === 0) return
    this.#tell(answers)
    if (this.#options.alone?.()) return
    this.#options.redis.publish(this.#options.channel, this.#self + JSON.stringify(answers)).catch(() => {})
  }

  /** Calls `listener` with every answer about `id`, until the function returned is called. */
  listen(id: string, listener: Listener<Answer>): () => void {
    const listeners = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      // Called once more, it must not stop those who have come since: they have a set of their own.
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id)
    }
  }

  /**
   * Waits for the next answer about `id`. Call it before the question is asked, so that the answer cannot be missed.
   * @param gone is aborted when the client has gone away, and nobody waits any longer.
   * Disposing of the wait ends it: nothing is kept for a question that could not be asked.
   * @returns undefined when `timeoutMs` passed, the process began to stop, the client is gone, or the wait was ended.
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

  /** Looks answers up for those who hear nothing, and keeps listening. Runs until `signal` is aborted. */
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
        if (overdue.length > 0) this.#tell(await this.#options.lookup(overdue))
        this.pulse.beat(lookupMs)
      } catch (error) {
        // The waiters' own time limits answer for it.
        this.pulse.fail(error, lookupMs)
      }
    }
  }

  /** A subscriber says nothing while nobody announces anything, so a connection that has died would not be noticed. */
  async #keepListening(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(confirmMs, undefined, { signal }).catch(() => {})
      const subscriber = this.#subscriber
      if (signal.aborted) return
      try {
        await deadline(commandTimeoutMs, 'subscribe', subscriber.subscribe(this.#options.channel))
      } catch (error) {
        if (isReplyError(error)) continue
        // In a cluster the driver's connection for this has no time limits, so the whole client is thrown away.
        subscriber.disconnect()
        this.#subscriber = this.#openSubscriber()
      }
    }
  }

  #tell(answers: Answer[]): void {
    for (const answer of answers) {
      for (const listener of this.#listeners.get(this.#options.idOf(answer)) ?? []) listener(answer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriber.disconnect()
  }
}

/** The length of a UUID, with which every announcement begins. */
const senderLength = 36

/** What is no announcement of answers tells nobody anything. */
function answersIn<Answer>(text: string, answers: z.ZodType<Answer[]>): Answer[] {
  try {
    return answers.parse(JSON.parse(text.slice(senderLength)))
  } catch {
    return []
  }
}
