/** `npm run inspect`: the state of every partition, from Postgres and Redis side by side. */
import { parseArgs } from 'node:util'
import { topics } from '../../actors/messages.ts'
import { ConfigError, readEnv, type ServiceName, serviceNames, toConfig } from '../../platform/config.ts'
import type { Topic } from '../../streams/partition.ts'
import { readGroups, readPartitions } from '../../streams/partition-state.ts'
import { closing, openPostgres, type Sql } from '../../streams/postgres.ts'
import { openRedis, type RedisClient, untilReady } from '../../streams/redis.ts'
import { runCommand } from './command.ts'

const help = `Prints, for each service and partition: owner, epoch, offset, lag, pending entries, dead letters.

  npm run inspect [-- --service NAME] [--all]

  --service NAME  only this service: ${serviceNames.join(', ')}
  --all           include partitions that never had a message

Lag and pending come from the consumer group. Services leave nothing pending, so pending entries were read manually; a message
counts as lag until the service has committed it.

DATABASE_URL and REDIS_URL name the servers; the default is a running \`npm start\`.`

const reads: Record<ServiceName, Topic> = {
  stock: topics.stockMailbox,
  reservation: topics.stockEvents,
  notifier: topics.stockEvents,
}

async function inspect(service: ServiceName, sql: Sql, redis: RedisClient, prefix: string, all: boolean) {
  const states = await readPartitions(sql, null)
  const shown = states.filter((it) => all || it.processed > 0 || it.letters > 0)
  const groups = await readGroups(
    redis,
    { prefix, topic: reads[service], service },
    shown.map((it) => it.partition),
  )
  return shown.map((state, i) => {
    const group = groups[i]
    return {
      partition: state.partition,
      owner: state.owner ? `${state.owner}${state.leased ? '' : ' (lease expired)'}` : 'none',
      epoch: state.epoch,
      offset: state.position,
      ...(group instanceof Error
        ? { lag: group.message, pending: '-' }
        : { lag: group ? (group.lag ?? 'unknown') : 'no group', pending: group?.pending ?? '-' }),
      'dead letters': state.letters,
    }
  })
}

await runCommand(async () => {
  const { values } = parseArgs({
    options: { service: { type: 'string' }, all: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return console.log(help)
  const wanted = serviceNames.filter((it) => !values.service || it === values.service)
  if (wanted.length === 0) throw new ConfigError([`--service must be one of ${serviceNames.join(', ')}`])
  const { databaseUrl, redisUrl, redisPrefix } = toConfig('stock', readEnv())
  const redis = openRedis(redisUrl, 'inspect')
  await untilReady(redis)
  try {
    for (const service of wanted) {
      await using sql = closing(openPostgres(databaseUrl, { schema: service, max: 1 }))
      const rows = await inspect(service, sql, redis, redisPrefix, values.all ?? false)
      if (rows.length > 0)
        console.table(
          Object.fromEntries(rows.map(({ partition, ...row }) => [`${service} ${partition}`, row])),
        )
      else console.log(`${service}: no partition has had a message yet (--all shows all partitions)`)
    }
  } finally {
    redis.disconnect()
  }
})
