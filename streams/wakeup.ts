/**
 * Tells whoever holds a request that what it waits for is decided, in whichever process that is.
 *
 * A worker announces after its commit, on a Redis pub/sub channel and straight to the waiters of its own process.
 * Announcements may be lost: a waiter that hears nothing looks the answer up (`lookup`), and does so at its end anyway.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { openRedis, type RedisClient } from './redis.ts'

/** How long waiters rely on announcements before the answers are looked up, all at once. */
const lookupMs = 1_000

type Listener<Answer> = (answer: Answer) => void

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
  readonly #subscriber: RedisClient
  readonly #listeners = new Map<string, Set<Listener<Answer>>>()
  /** Those who wait for one answer. One listener on `stopping` serves them all: it would search them one by one. */
  readonly #waiting = new Set<(answer: undefined) => void>()
  /** Tells our own announcements apart: their waiters have heard them already. */
  readonly #self = crypto.randomUUID()

  constructor(options: WakeupOptions<Answer>) {
    this.#options = options
    this.#subscriber = openRedis(options.redisUrl, options.channel)
    options.stopping.addEventListener('abort', () => {
      for (const resolve of this.#waiting) resolve(undefined)
    })
    const answers = z.array(options.answer)
    const subscribe = () => void this.#subscriber.subscribe(options.channel).catch(() => {})
    this.#subscriber.on('ready', subscribe)
    this.#subscriber.on('message', (_channel: string, text: string) => {
      if (!text.startsWith(this.#self)) this.#tell(answersIn(text, answers))
    })
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
      if (listeners.size === 0) this.#listeners.delete(id)
    }
  }

  /**
   * Waits for the next answer about `id`. Call it before the question is asked, so that the answer cannot be missed.
   * @param gone is aborted when the client has gone away, and nobody waits any longer.
   * Disposing of the wait ends it: nothing is kept for a question that could not be asked.
   * @returns undefined when `timeoutMs` passed, the process began to stop, the client is gone, or the wait was ended.
   */
  next(id: string, timeoutMs: number, gone?: AbortSignal): Waiting<Answer> {
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>()
    const leave = () => resolve(undefined)
    if (this.#options.stopping.aborted || gone?.aborted) leave()
    const stopListening = this.listen(id, resolve)
    const timer = setTimeout(leave, timeoutMs)
    this.#waiting.add(resolve)
    gone?.addEventListener('abort', leave)
    const answer = promise.finally(() => {
      clearTimeout(timer)
      gone?.removeEventListener('abort', leave)
      stopListening()
      this.#waiting.delete(resolve)
    })
    return Object.assign(answer, { [Symbol.dispose]: leave })
  }

  /** Looks answers up for those who hear nothing. Runs until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let before = new Set<string>()
    while (!signal.aborted) {
      await sleep(lookupMs, undefined, { signal }).catch(() => {})
      const overdue = [...this.#listeners.keys()].filter((id) => before.has(id))
      before = new Set(this.#listeners.keys())
      // When the lookup fails too, the waiters' own time limits answer for it.
      if (overdue.length > 0) this.#tell(await this.#options.lookup(overdue).catch(() => []))
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
