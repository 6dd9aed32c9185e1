/**
 * Which life of the database a message belongs to.
 *
 * A Postgres that was restored from a backup has forgotten what came after it. Redis has not: its streams still hold
 * commands and events of a future that was undone. So a restore ends with a command that gives the installation a new
 * incarnation (`npm run restored`), and nothing of another incarnation has an effect:
 *
 * U1. A sender stamps each message with the incarnation of its database. A mailbox passes a message of another
 *     incarnation without effect. An event stream that holds one is deleted, and filled again from the log.
 * U2. Each renewal of the leases counts a beat in Postgres, and only then notes it in Redis. So Redis never knows of a
 *     beat that Postgres does not know of, unless Postgres has gone back. A worker that finds this, of its own service or of
 *     another one in the same database, counts no beat, reads nothing and sends nothing.
 * U3. A process belongs to one incarnation. When its database is given another, it ends: what it remembers may be undone.
 *
 * An incarnation is written `2-k3f9x2`: how often the installation was restored, and a part that tells two installations
 * apart. One that was never restored stamps no messages, so other producers need not know any of this.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { fnv1a32 } from './partition.ts'
import type { Sql } from './postgres.ts'
import type { RedisClient } from './redis.ts'
import { SetupError } from './setup.ts'

/** How long to be silent about a database that has gone back, once that was reported. */
const reportEveryMs = 10_000
/** How long a message waits for the first look at Redis. */
const firstLookMs = 2_000

/** The count of renewals that a service's database has seen, in its present incarnation. */
export type Beat = { id: string; beats: number }

/** Notes a beat, unless a later one is known. Replies with what was known of all services before. */
const note = `
  local all = redis.call('HGETALL', KEYS[1])
  local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
  local id, beats = string.match(known, '^(%S+) (%d+)$')
  local function restores(id) return tonumber(string.match(id, '^%d+')) end
  if not id or restores(id) < restores(ARGV[2]) or (id == ARGV[2] and tonumber(beats) < tonumber(ARGV[3])) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
  end
  return all`

type Scripts = { streamsNote(key: string, service: string, id: string, beats: number): Promise<string[]> }

export type IncarnationOptions = {
  service: string
  /** The services that may have their tables in the same database. */
  services: readonly string[]
  redisPrefix: string
  log: { error(facts: object, text: string): void }
}

export class Incarnation {
  readonly #options: IncarnationOptions
  readonly #key: string
  readonly #looked = Promise.withResolvers<void>()
  /** The last beat that this process counted, or found. */
  #last: Beat | undefined
  #fault: string | undefined
  #end: SetupError | undefined
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor(options: IncarnationOptions) {
    this.#options = options
    this.#key = incarnationsKey(options.redisPrefix)
  }

  /** Why nothing may be read or sent; undefined when there is no reason, or none is known yet. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Whether it is known that the database has not gone back. */
  get isCurrent(): boolean {
    return this.#last !== undefined && this.#fault === undefined && this.#end === undefined
  }

  /** What messages are stamped with, and have to be. */
  get stamp(): string | undefined {
    return stampOf(this.#last?.id)
  }

  /** @throws {SetupError} when the process has to end (U3). */
  assertSame(): void {
    if (this.#end) throw this.#end
  }

  /** Waits for the first look, but not for long. @throws when nothing may be sent, or nobody knows yet. */
  async untilCurrent(): Promise<void> {
    if (this.isCurrent) return
    if (this.#fault === undefined) {
      // A process that stops is not kept by a message that waits: its command is in the outbox.
      const timer = setTimeout(this.#looked.resolve, firstLookMs).unref()
      await this.#looked.promise
      clearTimeout(timer)
    }
    if (!this.isCurrent) throw new Error(this.#fault ?? 'Cannot send yet: Redis has not answered')
  }

  /** Compares what Postgres and Redis know before any beat is counted. @throws when one of them does not answer. */
  async look(sql: Sql, redis: RedisClient): Promise<void> {
    // Redis first: what it knows has been counted by then, also by another process.
    const marks = toMarks(await redis.hgetall(this.#key))
    let own = await ownBeat(sql)
    if (own.id === '') own = { ...own, id: await this.#chooseId(sql, redis, marks) }
    const fault = this.#faultOf(own, marks) ?? (await this.#faultOfNeighbours(sql, own, marks))
    if (fault) return this.#fail(fault)
    this.#adopt(own)
    this.#fault = undefined
    this.#looked.resolve()
  }

  /** The last beat that is known, for `counted`. */
  get last(): Beat | undefined {
    return this.#last
  }

  /**
   * Takes note of a beat that was just counted.
   * @param before what was known before it was asked for: Postgres had counted that by then.
   */
  counted(sql: Sql, redis: RedisClient, beat: Beat, before: Beat | undefined): void {
    this.#adopt(beat)
    if (before && beat.beats <= before.beats && beat.id === before.id) {
      this.#fail(goneBack(`it had counted ${before.beats} beats and has ${beat.beats}`))
      // It must not be forgotten when the count has caught up.
      this.note(sql, redis, { id: beat.id, beats: Number.MAX_SAFE_INTEGER }).catch(() => {})
      return
    }
    // Not waited for: leases are renewed while Redis is away too.
    this.note(sql, redis, beat).catch(() => {})
  }

  /** @throws when Redis does not take it. */
  async note(sql: Sql, redis: RedisClient, { id, beats }: Beat): Promise<void> {
    const { service } = this.#options
    redis.defineCommand('streamsNote', { numberOfKeys: 1, lua: note })
    const reply = await (redis as unknown as Scripts).streamsNote(this.#key, service, id, beats)
    const marks = toMarks(Object.fromEntries(pairsOf(reply)))
    const known = marks.get(service)
    // Another process of ours may have counted, and noted, a later one meanwhile. Whom else we see must fit in any case.
    const own = known && !isBefore(known, { id, beats }) ? await ownBeat(sql) : { id, beats }
    const fault = this.#faultOf(own, marks)
    if (fault) this.#fail(fault)
  }

  #adopt(beat: Beat): void {
    if (this.#last && this.#last.id !== beat.id)
      this.#end = new SetupError(`The database was restored and is incarnation ${beat.id} now. Start again`)
    else this.#last = beat
  }

  #fail(fault: string): void {
    this.#fault = fault
    this.#looked.resolve()
    if (performance.now() - this.#reportedAt < reportEveryMs) return
    this.#reportedAt = performance.now()
    this.#options.log.error({}, fault)
  }

  /** A database that has never met Redis joins the others of its installation, or begins a new one. */
  async #chooseId(sql: Sql, redis: RedisClient, marks: Marks): Promise<string> {
    const mark = marks.get(this.#options.service)
    const id = mark ? successorOf(mark.id) : (latestOf(marks) ?? (await installationId(redis, this.#key)))
    const [row] = await sql<{ id: string }[]>`
      update incarnation set id = case id when '' then ${id} else id end returning id`
    return row!.id
  }

  #faultOf(own: Beat, marks: Marks): string | undefined {
    for (const [service, mark] of marks) {
      const isOwn = service === this.#options.service
      if (isOwn && mark.id === own.id && mark.beats > own.beats)
        return goneBack(`Redis knows of ${mark.beats} beats, and it of ${own.beats}`)
      const isOther = mark.id !== own.id && (isOwn || restoresOf(own.id) > 0)
      if (restoresOf(mark.id) > restoresOf(own.id) || (isOther && restoresOf(mark.id) === restoresOf(own.id)))
        return goneBack(`${service} was at incarnation ${mark.id}, and it is ${own.id}`)
    }
    return undefined
  }

  async #faultOfNeighbours(sql: Sql, own: Beat, marks: Marks): Promise<string | undefined> {
    const neighbours = this.#options.services.filter((it) => it !== this.#options.service)
    for (const service of neighbours) {
      const mark = marks.get(service)
      const found = mark && (await neighbourBeat(sql, service))
      // What a database holds of another incarnation is a copy that nobody works with.
      if (found && found.id === own.id && found.id === mark.id && mark.beats > found.beats)
        return goneBack(`Redis knows of ${mark.beats} beats of ${service}, and it of ${found.beats}`)
    }
    return undefined
  }
}

/** Field, value, field, value: as Redis replies to a script. */
const pairsOf = (reply: string[]): [string, string][] =>
  Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i]!, reply[2 * i + 1]!])

const goneBack = (how: string) =>
  `The database has gone back: ${how}. Nothing is read or sent until you run: npm run restored`

/** The hash in which every service notes its beats, and the installation its first incarnation. */
export const incarnationsKey = (redisPrefix: string): string => `${redisPrefix}:incarnations`
const installationField = 'installation'

/** The last beat that each service has noted. */
export type Marks = Map<string, Beat>

export function toMarks(hash: Record<string, string>): Marks {
  const marks: Marks = new Map()
  for (const [service, text] of Object.entries(hash)) {
    const mark = service === installationField ? undefined : toMark(text)
    if (mark) marks.set(service, mark)
  }
  return marks
}

function toMark(text: string): Beat | undefined {
  const [, id, beats] = text.match(/^(\d+-\w+) (\d+)$/) ?? []
  return id ? { id, beats: Number(beats) } : undefined
}

const latestOf = (marks: Marks): string | undefined =>
  [...marks.values()].map(({ id }) => id).sort((a, b) => restoresOf(b) - restoresOf(a))[0]

const isBefore = (mark: Beat, beat: Beat) =>
  mark.id === beat.id ? mark.beats < beat.beats : restoresOf(mark.id) < restoresOf(beat.id)

/** How often the installation had been restored. */
export const restoresOf = (id: string): number => Number(id.slice(0, id.indexOf('-')))

/** @returns what messages of this incarnation are stamped with: nothing, as long as nothing was restored. */
export const stampOf = (id: string | undefined): string | undefined =>
  id !== undefined && restoresOf(id) > 0 ? id : undefined

/** The one that follows, by a rule: services that find the same in Redis choose the same. */
const successorOf = (id: string) => `${restoresOf(id) + 1}-${fnv1a32(id).toString(36)}`

async function installationId(redis: RedisClient, key: string): Promise<string> {
  await redis.hsetnx(key, installationField, `0-${crypto.randomUUID().slice(0, 8)}`)
  return (await redis.hget(key, installationField))!
}

async function ownBeat(sql: Sql): Promise<Beat> {
  const [row] = await sql<Beat[]>`select id, beats from incarnation`
  return row!
}

/** @returns undefined where the service has its tables in another database, or has never worked. */
async function neighbourBeat(sql: Sql, service: string): Promise<Beat | undefined> {
  const [row] = await sql<Beat[]>`select id, beats from ${sql(service)}.incarnation`.catch((error) => {
    // No such schema, no such table, or not ours to read.
    if (['3F000', '42P01', '42501'].includes(error.code)) return []
    throw error
  })
  return row?.id ? row : undefined
}
