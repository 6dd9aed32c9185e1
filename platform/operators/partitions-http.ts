/** Lists the partitions of a service: what `npm run inspect` prints. */
import { z } from '@hono/zod-openapi'
import { deadline } from '../../streams/deadline.ts'
import type { Group } from '../../streams/groups.ts'
import type { Topic } from '../../streams/partition.ts'
import { type PartitionState, readGroups, readPartitions } from '../../streams/partition-state.ts'
import { isReplyError, type RedisClient } from '../../streams/redis.ts'
import type { App } from '../http/app.ts'
import { collection } from '../http/paging.ts'
import type { Reads } from '../http/reads.ts'
import { reply } from '../http/reply.ts'
import { pageAnswer, routesOf } from '../http/route.ts'

const routes = routesOf('operator')

/** So that a partition with a million letters is read as fast as another. */
const lettersMax = 1_000
/** Without Redis, the rest is answered after this. */
const redisWithinMs = 500

export type PartitionsHttpOptions = {
  app: App
  /** For lists. */
  reads: Reads
  redis: RedisClient
  prefix: string
  /** The streams that the service reads. */
  topic: Topic
  service: string
}

const partitionSchema = z
  .object({
    partition: z.int(),
    owner: z
      .string()
      .nullable()
      .describe('The process that owns it, or owned it last. `null`: none has owned it yet'),
    leased: z.boolean().describe('`false`: the lease has expired, and no process owns it'),
    epoch: z.int().describe('Rises with each change of owner'),
    offset: z.string().describe('The position up to which its messages are committed'),
    processed: z.int().describe('Messages committed so far'),
    lag: z.int().nullable().describe('Messages that are not committed yet. `null`: unknown, see `lagError`'),
    pending: z
      .int()
      .nullable()
      .describe("Messages that another client has read in the service's name. Services leave none"),
    lagError: z.string().nullable().describe('Why the lag is unknown'),
    deadLetters: z.int().describe(`Counted up to ${lettersMax}, which means that many or more`),
  })
  .openapi('Partition')

const example: z.input<typeof partitionSchema> = {
  partition: 0,
  owner: 'stock-7c9d-17-0f3a61c2',
  leased: true,
  epoch: 3,
  offset: '1795488010944-0',
  processed: 51_204,
  lag: 0,
  pending: 0,
  lagError: null,
  deadLetters: 0,
}

const listPartitions = routes.get('/partitions', {
  operationId: 'listPartitions',
  summary: 'List all partitions, with owner, offset and lag',
  description: 'Without Redis, `lag` and `pending` are `null`, and everything else is answered.',
  access: ['operator'],
  responses: {
    200: pageAnswer({
      as: 'PartitionPage',
      name: 'partitions',
      item: partitionSchema,
      description: 'All partitions, by number',
      example,
      path: '/partitions',
    }),
  },
})

export function mountPartitions({ app, reads, redis, ...reader }: PartitionsHttpOptions): void {
  app.addRoute(listPartitions, async (c) => {
    const states = await reads.for(c, (sql) => readPartitions(sql, lettersMax))
    const reading = readGroups(
      redis,
      reader,
      states.map((it) => it.partition),
    )
    const groups = await deadline(redisWithinMs, 'ask Redis', reading).catch((error: Error) => error)
    const items = states.map((it, i) => toPartition(it, groups instanceof Error ? groups : groups[i]))
    return reply(200, collection('partitions', c, items))
  })
}

const toPartition = (
  { position, letters, ...state }: PartitionState,
  group: Group | undefined | Error,
): z.output<typeof partitionSchema> => ({
  ...state,
  offset: position,
  deadLetters: letters,
  ...(group && !(group instanceof Error)
    ? {
        lag: group.lag,
        pending: group.pending,
        lagError: group.lag === null ? 'Redis cannot count it, because entries were deleted.' : null,
      }
    : { lag: null, pending: null, lagError: group ? toLagError(group) : noGroup }),
})

const noGroup =
  'There is no consumer group: no process has taken the partition over yet, or Redis has lost it.'

const toLagError = (error: Error) =>
  isReplyError(error) ? `Redis answers: ${error.message}` : 'Redis does not answer.'
