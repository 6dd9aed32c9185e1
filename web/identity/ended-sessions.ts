/**
 * The sessions that ended before they expired: by logging out, or all of a person. It is the only thing that the pages store.
 *
 * ES1. A session that is ended here is refused at once by this process, and by others within `recheckMs`.
 * ES2. While the database is away, sessions go on, and those that this process has ended stay ended. It writes them down as soon as
 *      the database is back.
 * ES3. Ending one session needs no clock. Ending all sessions of a person ends those that began before.
 */
import { hash } from 'node:crypto'
import type { EndedStore } from '../../platform/identity/ended-store.ts'
import type { Log } from '../../platform/log.ts'
import type { Session } from './session.ts'

type EndedSessionsOptions = {
  store: Pick<EndedStore, 'end' | 'ended'>
  log: Pick<Log, 'warn'>
  now?(): number
}

/** How long an answer of the database is used. */
const recheckMs = 5_000
/** How long the database is left alone after it has failed. */
const restMs = 5_000
const answerMs = 500
/** Of each kind, about 200 bytes each. */
const rememberedMax = 50_000

export class EndedSessions {
  readonly #store: Pick<EndedStore, 'end' | 'ended'>
  readonly #log: Pick<Log, 'warn'>
  readonly #now: () => number
  /** By key: when its sessions ended. */
  readonly #ended = new Map<string, number>()
  /** By session: until when it needs no check, in milliseconds. */
  readonly #fresh = new Map<string, number>()
  /** Not written down yet. */
  readonly #unwritten = new Map<string, number>()
  #restUntil = 0

  constructor({ store, log, now = Date.now }: EndedSessionsOptions) {
    this.#store = store
    this.#log = log
    this.#now = now
  }

  async end(session: Pick<Session, 'sid'>): Promise<void> {
    await this.#end(keyOf('session', session.sid))
  }

  /** Ends all sessions of a person, on every device. */
  async endAll(userid: string): Promise<void> {
    await this.#end(keyOf('person', userid))
  }

  async isEnded({ sid, userid, begun }: Pick<Session, 'sid' | 'userid' | 'begun'>): Promise<boolean> {
    const [session, person] = [keyOf('session', sid), keyOf('person', userid)]
    const isOver = () => this.#ended.has(session) || (this.#ended.get(person) ?? -1) >= begun
    const now = this.#now()
    if (isOver()) return true
    if (now < (this.#fresh.get(sid) ?? 0) || now < this.#restUntil) return false
    try {
      await this.#write()
      const found = await withinLimit(this.#store.ended([session, person]))
      for (const [key, at] of found) remember(this.#ended, key, at)
      remember(this.#fresh, sid, now + recheckMs)
    } catch (error) {
      this.#rest(error)
    }
    return isOver()
  }

  async #end(key: string): Promise<void> {
    const at = this.#now() / 1_000
    remember(this.#ended, key, at)
    remember(this.#unwritten, key, at)
    await this.#write().catch((error) => this.#rest(error))
  }

  async #write(): Promise<void> {
    for (const [key, at] of this.#unwritten) {
      await withinLimit(this.#store.end(key, at))
      this.#unwritten.delete(key)
    }
  }

  #rest(error: unknown): void {
    this.#restUntil = this.#now() + restMs
    this.#log.warn({ err: error }, 'cannot read or write ended sessions, will retry; sessions go on')
  }
}

const keyOf = (kind: 'session' | 'person', id: string) => hash('sha256', `${kind}:${id}`, 'base64url')

function remember(map: Map<string, number>, key: string, value: number): void {
  map.delete(key)
  map.set(key, value)
  // The oldest goes.
  if (map.size > rememberedMax) map.delete(map.keys().next().value!)
}

/** A database that does not answer must not keep people waiting. */
async function withinLimit<Value>(answer: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The database does not answer within ${answerMs} ms`)),
      answerMs,
    )
  })
  answer.catch(() => {})
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
