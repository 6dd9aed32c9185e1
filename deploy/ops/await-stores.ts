/** Waits until the stores answer, for a migration that starts together with them. */
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError } from '../../platform/config.ts'
import { openAsAdministrator, sqlStateOf } from '../../streams/postgres.ts'
import { openRedis, untilReady } from '../../streams/redis.ts'
import { onUnreachable, reasonOfRedis } from '../../streams/redis-errors.ts'

const pauseMs = 1_000

type AwaitOptions = {
  databaseUrl: string
  /** Not waited for if it is undefined. */
  redisUrl?: string | undefined
  patienceMs: number
  log(line: string): void
}

/** @param seconds as the option `--wait` has it. @returns milliseconds. @throws {ConfigError} */
export function patienceOf(seconds: string): number {
  if (/^[1-9]\d{0,3}$/.test(seconds)) return Number(seconds) * 1_000
  throw new ConfigError([`--wait must be a number of seconds from 1 to 9999, not ${JSON.stringify(seconds)}`])
}

/** Prints for what it waits, again when the reason changes. @throws the last error when the time is over. */
export async function awaitStores({ databaseUrl, redisUrl, patienceMs, log }: AwaitOptions): Promise<void> {
  const until = performance.now() + patienceMs
  await answered('Postgres', () => askPostgres(databaseUrl), until, log)
  if (redisUrl) await answered('Redis', () => askRedis(redisUrl), until, log)
}

async function answered(
  store: string,
  ask: () => Promise<Error | undefined>,
  until: number,
  log: AwaitOptions['log'],
): Promise<void> {
  let said: string | undefined
  for (;;) {
    const error = await ask()
    if (!error) return
    const leftMs = until - performance.now()
    if (leftMs <= 0) throw error
    if (error.message !== said)
      log(`Waiting for ${store}, for up to ${Math.ceil(leftMs / 1000)} s: ${error.message}`)
    said = error.message
    await delay(pauseMs)
  }
}

/** @returns why Postgres cannot be reached yet. Refusals of a server that runs are left to the migration, which explains them. */
async function askPostgres(url: string): Promise<Error | undefined> {
  const sql = openAsAdministrator(url)
  try {
    await sql`select`
    return undefined
  } catch (error) {
    const state = sqlStateOf(error)
    return state === undefined || state === startingUp ? (error as Error) : undefined
  } finally {
    await sql.end({ timeout: 2 })
  }
}

/** Postgres is starting, shutting down or in recovery. */
const startingUp = '57P03'

async function askRedis(url: string): Promise<Error | undefined> {
  const redis = openRedis(url, 'bookreservation-migrate')
  let unreachable: string | undefined
  onUnreachable(redis, url, (reason) => {
    unreachable = reason
  })
  try {
    await untilReady(redis)
    await redis.ping()
    return undefined
  } catch (error) {
    return new Error(unreachable ?? reasonOfRedis(error))
  } finally {
    redis.disconnect()
  }
}
