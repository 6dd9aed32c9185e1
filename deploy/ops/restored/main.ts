/** `npm run restored`: the last step of restoring Postgres from a backup. */
import { parseArgs } from 'node:util'
import { ConfigError, readEnv, type ServiceName, toConfig } from '../../../platform/config.ts'
import { incarnationsKey, toMarks } from '../../../streams/incarnation.ts'
import { openRedis, untilReady } from '../../../streams/redis.ts'
import { awaitStores, patienceOf } from '../await-stores.ts'
import { type MigrateOptions, migrate } from '../migrate.ts'
import { correctBookList } from './book-list.ts'
import { alignConsumers } from './consumers.ts'
import { reconcileHolds } from './holds.ts'
import { type DatabaseUrls, leaseInstallation } from './installation.ts'
import { suppressOutcomes } from './notices.ts'
import { correctQueues } from './queues.ts'

const help = `The last step of restoring Postgres from a backup. Run it before you start the services again.

  npm run restored
  npm run restored -- --wait=300   waits up to 300 s for stores that are still starting, and prints for which

Migrates the database, compares the services' data, and corrects what a database that was restored alone has lost. Then it
starts a new incarnation of the installation: messages in Redis from after the backup have no effect. You can run it as
often as you like; no data is lost.

DATABASE_URL is the database and REDIS_URL is Redis. Without them, the command uses those of a running \`npm start\`. If the
services have separate databases, set RESERVATION_DATABASE_URL, STOCK_DATABASE_URL and NOTIFIER_DATABASE_URL: all three, even
if only one was restored.`

type RestoredOptions = Omit<MigrateOptions, 'databaseUrl'> & {
  /** With users who may migrate. */
  urls: DatabaseUrls
  redisUrl: string
  redisPrefix: string
  log(line: string): void
}

/** @throws if a database or statement fails. The steps done so far do no harm and are repeated by the next run. */
export async function restored(options: RestoredOptions): Promise<void> {
  const { urls, redisUrl, redisPrefix, partitions, log } = options
  for (const databaseUrl of new Set(Object.values(urls))) await migrate({ databaseUrl, partitions, log })
  await using installation = await leaseInstallation(urls, await knownInRedis(redisUrl, redisPrefix, log))
  const { databases, incarnation } = installation
  const moved = await alignConsumers(databases)
  log(`${moved} partitions were read past the end of stock's log, or not up to its start: moved.`)
  log(`${await correctBookList(databases)} books in the book list differed from stock: corrected.`)
  let suppressed = 0
  const { released, adopted, reopened } = await reconcileHolds(databases, partitions, async (holds) => {
    suppressed += await suppressOutcomes(databases.notifier, holds)
  })
  log(`${released} holds are of unknown or canceled reservations: stock will release them.`)
  log(`${adopted} reservations were set to stock's decision; ${reopened} will be decided again.`)
  log(`${suppressed} notices about unknown reservations are suppressed.`)
  log(`${await correctQueues(databases)} places in queues differed from stock: corrected.`)
  await installation.begin()
  log(
    `The installation is now incarnation ${incarnation}. Messages in Redis from other incarnations have no effect.`,
  )
}

/** The incarnations that the services recorded in Redis. If Redis is empty, none are needed: it has no messages either. */
async function knownInRedis(url: string, prefix: string, log: RestoredOptions['log']) {
  const redis = openRedis(url, 'restored')
  try {
    await untilReady(redis)
    return [...toMarks(await redis.hgetall(incarnationsKey(prefix))).values()]
  } catch (error) {
    log(
      `Redis does not answer (${(error as Error).message}). If it comes back with its data, run this command again.`,
    )
    return []
  } finally {
    redis.disconnect()
  }
}

function urlsOf(config: ReturnType<typeof toConfig>): DatabaseUrls {
  const urlOf = (service: ServiceName) => config.databaseUrls[service] ?? config.databaseUrl
  return { reservation: urlOf('reservation'), stock: urlOf('stock'), notifier: urlOf('notifier') }
}

async function main(): Promise<void> {
  const options = { wait: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const
  const { wait, help: asked } = parseArgs({ options }).values
  if (asked) return console.log(help)
  const config = toConfig('stock', readEnv())
  const { redisUrl, redisPrefix, partitions, databasePasswords, redisPasswords } = config
  const passwords = { databasePasswords, redisPasswords }
  if (wait !== undefined)
    for (const databaseUrl of new Set(Object.values(urlsOf(config))))
      await awaitStores({ databaseUrl, redisUrl, patienceMs: patienceOf(wait), log: console.log })
  await restored({ urls: urlsOf(config), redisUrl, redisPrefix, partitions, ...passwords, log: console.log })
  console.log('Done. Start the services again.')
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    if (error instanceof ConfigError) console.error(error.faults.join('\n'))
    else console.error(`Cannot finish: ${(error as Error).message}`)
    process.exitCode = 1
  }
}
