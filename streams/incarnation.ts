/**
 * The life of the database that a message belongs to.
 *
 * After Postgres is restored from a backup, it lacks everything that came after that backup. Redis does not: its streams
 * still hold commands and events of a future that was undone. So a restore ends with a command that gives the installation a
 * new incarnation (`npm run restored`), and nothing of another incarnation has an effect:
 *
 * U1. A sender stamps each message with the incarnation of its database. A worker skips a message of another incarnation in
 *     its mailbox. An event stream that holds one is deleted, and filled again from the log.
 * U2. Each renewal of the leases is counted in Postgres first, and noted in Redis after that. So Redis never knows of a
 *     renewal that Postgres does not know of, unless Postgres has gone back. A worker that finds this, of its own service or
 *     of another one in the same database, counts no renewal, reads nothing and sends nothing.
 * U3. A process belongs to one incarnation. It ends when its database gets another, because its memory may be undone.
 *
 * An incarnation is written `2-k3f9x2`: how often the installation was restored, and a part that distinguishes two
 * installations. An installation that was never restored stamps no messages, so other producers need not know any of this.
 */
import { clearTimeout, setTimeout } from 'node:timers'
import { fnv1a32 } from './partition.ts'
import type { Sql } from './postgres.ts'
import type { RedisClient } from './redis.ts'
import { SetupError } from './setup.ts'

/** Pause between two reports of a database that has gone back. */
const reportEveryMs = 10_000
/** How long a message waits for the first comparison with Redis. */
const firstLookMs = 2_000

/** How many renewals a service's database has counted in an incarnation. */
export type RenewalCount = { id: string; renewals: number }

/** Notes a count, unless a later one is known. Replies with the counts of all services as they were before. */
const note = `
  local all = redis.call('HGETALL', KEYS[1])
  local known = redis.call('HGET', KEYS[1], ARGV[1]) or ''
  local id, renewals = string.match(known, '^(%S+) (%d+)$')
  local function restores(id) return tonumber(string.match(id, '^%d+')) end
  if not id or restores(id) < restores(ARGV[2]) or (id == ARGV[2] and tonumber(renewals) < tonumber(ARGV[3])) then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
  end
  return all`

type Scripts = { streamsNote(key: string, service: string, id: string, renewals: number): Promise<string[]> }

type IncarnationOptions = {
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
  /** The last count that this process made, or found. */
  #last: RenewalCount | undefined
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

  /** The stamp that messages get, and must have. */
  get stamp(): string | undefined {
    return stampOf(this.#last?.id)
  }

  /** @throws {SetupError} when the process must end (U3). */
  assertSame(): void {
    if (this.#end) throw this.#end
  }

  /** Waits briefly for the first comparison. @throws when nothing may be sent, or that is still unknown. */
  async untilCurrent(): Promise<void> {
    if (this.isCurrent) return
    if (this.#fault === undefined) {
      // A waiting message does not keep a process that stops: its command is in the outbox.
      const timer = setTimeout(this.#looked.resolve, firstLookMs).unref()
      await this.#looked.promise
      clearTimeout(timer)
    }
    if (!this.isCurrent) throw new Error(this.#fault ?? 'Cannot send yet: Redis has not answered')
  }

  /** Compares Postgres and Redis before any renewal is counted. @throws when one of them does not answer. */
  async look(sql: Sql, redis: RedisClient): Promise<void> {
    // Redis first: whatever it knows, some process has counted in Postgres by then.
    const marks = toMarks(await redis.hgetall(this.#key))
    let own = await ownCount(sql)
    if (own.id === '') own = { ...own, id: await this.#chooseId(sql, redis, marks) }
    const fault = this.#faultOf(own, marks) ?? (await this.#faultOfNeighbors(sql, own, marks))
    if (fault) return this.#fail(fault)
    this.#adopt(own)
    this.#fault = undefined
    this.#looked.resolve()
  }

  /** The last known count, for `counted`. */
  get last(): RenewalCount | undefined {
    return this.#last
  }

  /**
   * Checks and notes a renewal that was just counted.
   * @param before `last` before the renewal: Postgres had counted that by then.
   */
  counted(sql: Sql, redis: RedisClient, count: RenewalCount, before: RenewalCount | undefined): void {
    this.#adopt(count)
    if (before && count.renewals <= before.renewals && count.id === before.id) {
      this.#fail(goneBack(`it had counted ${before.renewals} renewals and has ${count.renewals}`))
      // This must not be forgotten once the count has caught up.
      this.note(sql, redis, { id: count.id, renewals: Number.MAX_SAFE_INTEGER }).catch(() => {})
      return
    }
    // Not awaited: leases are renewed while Redis is down too.
    this.note(sql, redis, count).catch(() => {})
  }

  /** @throws when Redis does not accept it. */
  async note(sql: Sql, redis: RedisClient, { id, renewals }: RenewalCount): Promise<void> {
    const { service } = this.#options
    redis.defineCommand('streamsNote', { numberOfKeys: 1, lua: note })
    const reply = await (redis as unknown as Scripts).streamsNote(this.#key, service, id, renewals)
    const marks = toMarks(Object.fromEntries(pairsOf(reply)))
    const known = marks.get(service)
    // Another process of this service may have counted and noted a later renewal meanwhile.
    const own = known && !isBefore(known, { id, renewals }) ? await ownCount(sql) : { id, renewals }
    const fault = this.#faultOf(own, marks)
    if (fault) this.#fail(fault)
  }

  #adopt(count: RenewalCount): void {
    if (this.#last && this.#last.id !== count.id)
      this.#end = new SetupError(
        `The database was restored and is at incarnation ${count.id} now: start again`,
      )
    else this.#last = count
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

  #faultOf(own: RenewalCount, marks: Marks): string | undefined {
    for (const [service, mark] of marks) {
      const isOwn = service === this.#options.service
      if (isOwn && mark.id === own.id && mark.renewals > own.renewals)
        return goneBack(`Redis knows of ${mark.renewals} renewals, the database of ${own.renewals}`)
      const isOther = mark.id !== own.id && (isOwn || restoresOf(own.id) > 0)
      if (restoresOf(mark.id) > restoresOf(own.id) || (isOther && restoresOf(mark.id) === restoresOf(own.id)))
        return goneBack(`${service} was at incarnation ${mark.id}, the database is at ${own.id}`)
    }
    return undefined
  }

  async #faultOfNeighbors(sql: Sql, own: RenewalCount, marks: Marks): Promise<string | undefined> {
    const neighbors = this.#options.services.filter((it) => it !== this.#options.service)
    for (const service of neighbors) {
      const mark = marks.get(service)
      const found = mark && (await neighborCount(sql, service))
      // Tables of another incarnation are a copy that no service works with.
      if (found && found.id === own.id && found.id === mark.id && mark.renewals > found.renewals)
        return goneBack(
          `Redis knows of ${mark.renewals} renewals of ${service}, the database of ${found.renewals}`,
        )
    }
    return undefined
  }
}

/** Field, value, field, value: as Redis replies to a script. */
const pairsOf = (reply: string[]): [string, string][] =>
  Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i]!, reply[2 * i + 1]!])

const goneBack = (how: string) =>
  `The database has gone back: ${how}. Nothing is read or sent until you run: npm run restored`

/** The hash with the last renewal of each service, and the first incarnation of the installation. */
export const incarnationsKey = (redisPrefix: string): string => `${redisPrefix}:incarnations`
const installationField = 'installation'

/** For each service, the last count that it has noted. */
export type Marks = Map<string, RenewalCount>

export function toMarks(hash: Record<string, string>): Marks {
  const marks: Marks = new Map()
  for (const [service, text] of Object.entries(hash)) {
    const mark = service === installationField ? undefined : toMark(text)
    if (mark) marks.set(service, mark)
  }
  return marks
}

function toMark(text: string): RenewalCount | undefined {
  const [, id, renewals] = text.match(/^(\d+-\w+) (\d+)$/) ?? []
  return id ? { id, renewals: Number(renewals) } : undefined
}

const latestOf = (marks: Marks): string | undefined =>
  [...marks.values()].map(({ id }) => id).sort((a, b) => restoresOf(b) - restoresOf(a))[0]

const isBefore = (mark: RenewalCount, count: RenewalCount) =>
  mark.id === count.id ? mark.renewals < count.renewals : restoresOf(mark.id) < restoresOf(count.id)

/** How often the installation had been restored. */
export const restoresOf = (id: string): number => Number(id.slice(0, id.indexOf('-')))

/** @returns the stamp of an incarnation's messages; undefined if the installation was never restored. */
const stampOf = (id: string | undefined): string | undefined =>
  id !== undefined && restoresOf(id) > 0 ? id : undefined

/** By a rule, so that services that find the same marks choose the same incarnation. */
const successorOf = (id: string) => `${restoresOf(id) + 1}-${fnv1a32(id).toString(36)}`

async function installationId(redis: RedisClient, key: string): Promise<string> {
  await redis.hsetnx(key, installationField, `0-${crypto.randomUUID().slice(0, 8)}`)
  return (await redis.hget(key, installationField))!
}

async function ownCount(sql: Sql): Promise<RenewalCount> {
  const [row] = await sql<RenewalCount[]>`select id, beats as renewals from incarnation`
  return row!
}

/** @returns undefined if the service has its tables in another database, or has never run. */
async function neighborCount(sql: Sql, service: string): Promise<RenewalCount | undefined> {
  const [row] = await sql<
    RenewalCount[]
  >`select id, beats as renewals from ${sql(service)}.incarnation`.catch((error) => {
    // No such schema, no such table, or no right to read it.
    if (['3F000', '42P01', '42501'].includes(error.code)) return []
    throw error
  })
  return row?.id ? row : undefined
}
