/**
 * Lets each service log in to Redis by itself, as a user who can reach the keys that it works with by the commands that
 * it uses (`streams/`), and nothing else.
 *
 * A rule in brackets stands by itself: its commands are for its keys. What a script calls is held against the rules too.
 * Groups of one stream are no keys: a consumer of the events could set another's cursor. That loses nothing that is younger
 * than `EVENT_RETENTION_DAYS`: every read names its position (`streams/mailbox.ts`), and what was trimmed too early is filled
 * in again (`streams/event-log.ts`).
 */
import '../../streams/no-debug.ts'
import { createHash } from 'node:crypto'
import { Cluster } from 'ioredis'
import { incarnationsKey } from '../../streams/incarnation.ts'
import { mendingKey } from '../../streams/mending.ts'
import { streamKey, type Topic } from '../../streams/partition.ts'
import { openRedis, type RedisClient, untilReady } from '../../streams/redis.ts'
import { type Passwords, type ServiceName, serviceNames } from '../config.ts'
import { topics } from '../messages.ts'

/** Of the connection itself: they reach no key. */
const connection =
  '+ping +info +client|setname +cluster|slots +cluster|shards +cluster|info +cluster|nodes'.split(' ')
/** `streamsAdd`, `streamsRead`, `streamsAlign`, `streamsAppend` and `streamsCompare` are scripts. */
const scripts = '+eval +evalsha'
/** Reading by a group, and making a stream fit what Postgres says. */
const consume =
  '+xread +xreadgroup +xgroup|create +xgroup|setid +xgroup|createconsumer +xgroup|delconsumer +xinfo +xrange +unlink'
/** What stock alone does, with its own streams. */
const own = '+xadd +xsetid +xtrim'
/** Putting messages into a mailbox, and seeing how far its reader has come. `xrange` is what the version before asks. */
const send = '+xadd +xinfo|groups +xinfo|stream +xrange'

/** Noting beats, and reading those of the others (`streams/incarnation.ts`). */
const beat = '+hgetall +hget +hset +hsetnx'

/** What a user may do, as arguments of `ACL SETUSER`. */
export function rulesOf(service: ServiceName, prefix: string): string[] {
  const mailboxes = keysOf(prefix, topics.stockMailbox)
  const events = keysOf(prefix, topics.stockEvents)
  // Notes beside a stream are read and written as values; a stream never is (`streams/mending.ts`).
  const mendings = mendingsOf(prefix, topics.stockEvents)
  const channel = (name: string) => [`&${prefix}:${name}`, '+publish', '+subscribe', '+unsubscribe']
  const rules: Record<ServiceName, string[]> = {
    stock: [
      ...channel('stock:handled'),
      `(${scripts} ${consume} ${own} ${mailboxes} ${events})`,
      `(+get ${mendings} ${mendingsOf(prefix, topics.stockMailbox)})`,
      `(+set ${mendings})`,
    ],
    reservation: [
      ...channel('reservation:changed'),
      `(${scripts} ${mailboxes})`,
      `(${send} ${mailboxes})`,
      `(${scripts} ${consume} ${events})`,
      `(+get ${mendings})`,
    ],
    notifier: [`(${scripts} ${consume} ${events})`, `(+get ${mendings})`],
  }
  return [...connection, `(${scripts} ${beat} ~${incarnationsKey(prefix)})`, ...rules[service]]
}

/** Every partition's, and what is noted beside them: a script takes both. */
const keysOf = (prefix: string, topic: Topic) => `~${streamsOf(prefix, topic)} ${mendingsOf(prefix, topic)}`
const mendingsOf = (prefix: string, topic: Topic) => `~${mendingKey(streamsOf(prefix, topic))}`
const streamsOf = (prefix: string, topic: Topic) => streamKey(prefix, topic, 0).replace('-0}', '-*}')

export type RedisUsersOptions = {
  /** Of a user who may create users. */
  redisUrl: string
  redisPrefix: string
  passwords: Passwords
  log: (line: string) => void
}

/** Run again, it changes the passwords; who is logged in stays so. */
export async function createRedisUsers({
  redisUrl,
  redisPrefix,
  passwords,
  log,
}: RedisUsersOptions): Promise<void> {
  const redis = openRedis(redisUrl, 'bookreservation-migrate')
  try {
    await untilReady(redis)
    // Users are not replicated: each node keeps its own.
    for (const node of nodesOf(redis)) {
      for (const service of serviceNames) {
        // The hash is all that Redis keeps, and all that it is told: the password itself stays here.
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
    // Without the error itself, which repeats the command.
    throw new Error(`Cannot create the Redis users: ${(error as Error).message}`)
  } finally {
    redis.disconnect()
  }
}

const nodesOf = (redis: RedisClient) => (redis instanceof Cluster ? redis.nodes('all') : [redis])

/** Users that are in memory alone are gone with the next restart, and with them every service's way in. */
async function save(
  node: { call(command: string, ...args: string[]): Promise<unknown> },
  log: (line: string) => void,
) {
  await node.call('ACL', 'SAVE').catch((error: Error) => {
    if (!error.message.includes('not configured to use an ACL file')) throw error
    log('Redis has no aclfile: it forgets its users when it restarts. Migrate again then, or configure one.')
  })
}
