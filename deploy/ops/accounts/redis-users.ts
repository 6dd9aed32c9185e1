/**
 * Lets each service log in to Redis as a user that may use only the commands and keys that the service needs
 * (`streams/`).
 *
 * A rule in parentheses is independent: its commands apply to its keys. Redis checks the commands within scripts too.
 * Groups of one stream are not keys, so a consumer of the events could set another's cursor. That loses nothing
 * younger than `EVENT_RETENTION_DAYS`: every read names its position (`streams/mailbox.ts`), and events trimmed too
 * early are filled in again (`streams/event-log.ts`).
 */
import '../../../streams/no-debug.ts'
import { createHash } from 'node:crypto'
import { Cluster } from 'ioredis'
import { topics } from '../../../actors/messages.ts'
import { type Passwords, type ServiceName, serviceNames } from '../../../platform/config.ts'
import { incarnationsKey } from '../../../streams/incarnation.ts'
import { batchesKey } from '../../../streams/mailbox.ts'
import { mendingKey } from '../../../streams/mending.ts'
import { streamKey, type Topic } from '../../../streams/partition.ts'
import { openRedis, type RedisClient, untilReady } from '../../../streams/redis.ts'

/** Commands without keys: of the connection, and the time. */
const connection =
  '+ping +info +time +client|setname +cluster|slots +cluster|shards +cluster|info +cluster|nodes'.split(' ')
/** `streamsAdd`, `streamsRead`, `streamsAlign`, `streamsAppend` and `streamsCompare` are scripts. */
const scripts = '+eval +evalsha'
/** Reading with a group, and aligning a stream with Postgres. */
const consume =
  '+xread +xreadgroup +xgroup|create +xgroup|setid +xgroup|createconsumer +xgroup|delconsumer +xinfo +xrange +unlink'
/** For stock alone, on its own streams. */
const own = '+xadd +xsetid +xtrim'
/** Adding messages to a mailbox, and reading how far its reader is. The previous version uses `xrange`. */
const send = '+xadd +xsetid +xinfo|groups +xinfo|stream +xrange'

/** Counting beats, and reading those of other services (`streams/incarnation.ts`). */
const beat = '+hgetall +hget +hset +hsetnx'

/** The permissions of a user, as arguments of `ACL SETUSER`. */
export function rulesOf(service: ServiceName, prefix: string): string[] {
  const batches = `~${batchesKey(streamsOf(prefix, topics.stockMailbox))}`
  const mailboxes = keysOf(prefix, topics.stockMailbox)
  const events = keysOf(prefix, topics.stockEvents)
  // The keys beside a stream hold plain values, for which `get` and `set` suffice (`streams/mending.ts`).
  const mendings = mendingsOf(prefix, topics.stockEvents)
  const channel = (name: string) => [`&${prefix}:${name}`, '+publish', '+subscribe', '+unsubscribe']
  const rules: Record<ServiceName, string[]> = {
    stock: [
      ...channel('stock:handled'),
      `(${scripts} ${consume} ${own} ${mailboxes} ${events})`,
      `(+get ${mendings} ${mendingsOf(prefix, topics.stockMailbox)})`,
      `(+set ${mendings})`,
      `(+set +exists ${batches})`,
    ],
    reservation: [
      ...channel('reservation:changed'),
      `(${scripts} ${mailboxes})`,
      `(${send} ${mailboxes})`,
      `(+exists ${batches})`,
      `(${scripts} ${consume} ${events})`,
      `(+get ${mendings})`,
    ],
    notifier: [`(${scripts} ${consume} ${events})`, `(+get ${mendings})`],
  }
  return [...connection, `(${scripts} ${beat} ~${incarnationsKey(prefix)})`, ...rules[service]]
}

/** The streams of every partition and the keys beside them: scripts use both. */
const keysOf = (prefix: string, topic: Topic) => `~${streamsOf(prefix, topic)} ${mendingsOf(prefix, topic)}`
const mendingsOf = (prefix: string, topic: Topic) => `~${mendingKey(streamsOf(prefix, topic))}`
const streamsOf = (prefix: string, topic: Topic) => streamKey(prefix, topic, 0).replace('-0}', '-*}')

type RedisUsersOptions = {
  /** Its user may create users. */
  redisUrl: string
  redisPrefix: string
  passwords: Passwords
  log: (line: string) => void
}

/** Running it again changes the passwords; open connections stay. */
export async function createRedisUsers({
  redisUrl,
  redisPrefix,
  passwords,
  log,
}: RedisUsersOptions): Promise<void> {
  const redis = openRedis(redisUrl, 'bookreservation-migrate')
  try {
    await untilReady(redis)
    // Users are not replicated: each node has its own.
    for (const node of nodesOf(redis)) {
      for (const service of serviceNames) {
        // Redis gets and keeps only the hash, never the password.
        const hash = createHash('sha256').update(passwords[service]).digest('hex')
        await node.call(
          'ACL',
          'SETUSER',
          service,
          'reset',
          'on',
          `#${hash}`,
          ...rulesOf(service, redisPrefix),
        )
      }
      await save(node, log)
    }
  } catch (error) {
    // Without the error as cause, because it contains the command.
    throw new Error(`Cannot create the Redis users: ${(error as Error).message}`)
  } finally {
    redis.disconnect()
  }
}

const nodesOf = (redis: RedisClient) => (redis instanceof Cluster ? redis.nodes('all') : [redis])

/** Saves the users; if they were only in memory, no service could log in after a restart. */
async function save(
  node: { call(command: string, ...args: string[]): Promise<unknown> },
  log: (line: string) => void,
) {
  await node.call('ACL', 'SAVE').catch((error: Error) => {
    if (!error.message.includes('not configured to use an ACL file')) throw error
    log(
      'Redis has no aclfile, so it loses its users on a restart. Migrate again after each restart, or configure one.',
    )
  })
}
