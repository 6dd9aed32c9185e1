/** `npm run restored`: the last step of restoring Postgres from a backup. */
import { incarnationsKey, toMarks } from '../../streams/incarnation.ts'
import { openRedis, untilReady } from '../../streams/redis.ts'
import { ConfigError, readEnv, type ServiceName, toConfig } from '../config.ts'
import { type MigrateOptions, migrate } from '../migrate.ts'
import { correctBookList } from './book-list.ts'
import { alignConsumers } from './consumers.ts'
import { reconcileHolds } from './holds.ts'
import { type DatabaseUrls, takeInstallation } from './installation.ts'
import { suppressOutcomes } from './notices.ts'

const help = `The last step of restoring Postgres from a backup, before the services are started again.

  npm run restored

Brings the database up to date, and gives the installation a new incarnation: what Redis still holds of the time after the
backup has no effect any more. Then it holds what the services know against each other, and corrects what a database that
was restored alone has forgotten. It may be run as often as you like, and loses nothing.

DATABASE_URL names the database, REDIS_URL Redis; without them those of a running \`npm start\` are taken. Services with
databases of their own have them named by RESERVATION_DATABASE_URL, STOCK_DATABASE_URL and NOTIFIER_DATABASE_URL: name all
three, also when only one of them was restored.`

export type RestoredOptions = Omit<MigrateOptions, 'databaseUrl'> & {
  /** Of users who may migrate. */
  urls: DatabaseUrls
  redisUrl: string
  redisPrefix: string
  log(line: string): void
}

/** @throws when a database or a statement fails: what was done until then does no harm, and is done again. */
export async function restored({
  urls,
  redisUrl,
  redisPrefix,
  partitions,
  log,
}: RestoredOptions): Promise<void> {
  for (const databaseUrl of new Set(Object.values(urls))) await migrate({ databaseUrl, partitions, log })
  await using installation = await takeInstallation(urls, await knownInRedis(redisUrl, redisPrefix, log))
  const { databases, incarnation } = installation
  const moved = await alignConsumers(databases)
  log(`${moved} partitions had been read beyond the end of stock's log, or not as far as to its beginning.`)
  log(`${await correctBookList(databases)} books of the list were not as stock has them, and are corrected.`)
  let suppressed = 0
  const { released, adopted, reopened } = await reconcileHolds(databases, partitions, async (holds) => {
    suppressed += await suppressOutcomes(databases.notifier, holds)
  })
  log(`${released} copies are held for reservations that are unknown or canceled, and will be released.`)
  log(`${adopted} reservations are as stock had decided them; ${reopened} will be decided again.`)
  log(`${suppressed} notices about unknown reservations will not be sent.`)
  await installation.begin()
  log(
    `The installation is incarnation ${incarnation} now: nothing that Redis holds of another has an effect.`,
  )
}

/** What the services have noted there. An empty Redis needs no notes: it holds nothing that could be read. */
async function knownInRedis(url: string, prefix: string, log: RestoredOptions['log']) {
  const redis = openRedis(url, 'restored')
  try {
    await untilReady(redis)
    return [...toMarks(await redis.hgetall(incarnationsKey(prefix))).values()]
  } catch (error) {
    log(
      `Redis does not answer (${(error as Error).message}): if it comes back with what it held, run this again.`,
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
  if (process.argv.includes('--help') || process.argv.includes('-h')) return console.log(help)
  const config = toConfig('stock', readEnv())
  const { redisUrl, redisPrefix, partitions, databasePasswords, redisPasswords } = config
  const passwords = { databasePasswords, redisPasswords }
  await restored({ urls: urlsOf(config), redisUrl, redisPrefix, partitions, ...passwords, log: console.log })
  console.log('Done. Start the services again, if they do not run.')
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
