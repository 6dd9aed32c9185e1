/** `npm run inspect`: the state of every partition, from Postgres and Redis side by side. */
import { parseArgs } from 'node:util'
import { topics } from '../../actors/messages.ts'
import { ConfigError, readEnv, type ServiceName, serviceNames, toConfig } from '../../platform/config.ts'
import { groupsOf } from '../../streams/groups.ts'
import { streamKey, type Topic } from '../../streams/partition.ts'
import { openPostgres, type Sql } from '../../streams/postgres.ts'
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

type Row = {
  partition: number
  owner: string | null
  leased: boolean
  epoch: number
  position: string
  processed: number
  letters: number
}

async function inspect(service: ServiceName, sql: Sql, redis: RedisClient, prefix: string, all: boolean) {
  const rows = await sql<Row[]>`
    select m.partition, m.owner, m.lease_until > clock_timestamp() as leased, m.epoch, m.position, m.processed,
      (select count(*) from dead_letter d where d.partition = m.partition) as letters
    from mailbox m order by m.partition`
  const shown = rows.filter((row) => all || row.processed > 0 || row.letters > 0)
  return await Promise.all(
    shown.map(async (row) => {
      const groups = await groupsOf(redis, streamKey(prefix, reads[service], row.partition)).catch(
        (error: Error) => error.message,
      )
      const group = typeof groups === 'string' ? undefined : groups.find((it) => it.name === service)
      return {
        service,
        partition: row.partition,
        owner: row.owner ? `${row.owner}${row.leased ? '' : ' (lease expired)'}` : 'none',
        epoch: row.epoch,
        offset: row.position,
        lag: typeof groups === 'string' ? groups : group ? (group.lag ?? 'unknown') : 'no group',
        pending: group?.pending ?? '-',
        'dead letters': row.letters,
      }
    }),
  )
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
      const sql = openPostgres(databaseUrl, { schema: service, max: 1 })
      try {
        const rows = await inspect(service, sql, redis, redisPrefix, values.all ?? false)
        if (rows.length > 0)
          console.table(
            Object.fromEntries(
              rows.map(({ service: _, partition, ...row }) => [`${service} ${partition}`, row]),
            ),
          )
        else console.log(`${service}: no partition has had a message yet (--all shows all partitions)`)
      } finally {
        await sql.end({ timeout: 2 })
      }
    }
  } finally {
    redis.disconnect()
  }
})
