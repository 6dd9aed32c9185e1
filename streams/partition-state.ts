/** The state of a service's partitions, for operators: from Postgres and Redis side by side. */
import { type Group, groupsOf } from './groups.ts'
import { streamKey, type Topic } from './partition.ts'
import type { Sql } from './postgres.ts'
import type { RedisClient } from './redis.ts'

/** A partition as it is in Postgres. */
export type PartitionState = {
  partition: number
  /** The last owner; null before the first. */
  owner: string | null
  /** Whether its lease is valid. */
  leased: boolean
  epoch: number
  /** The offset. */
  position: string
  /** Messages up to the offset. */
  processed: number
  /** Dead letters. */
  letters: number
}

/** @param lettersMax a partition's letters are counted up to this number; `null`: all of them. */
export const readPartitions = (sql: Sql, lettersMax: number | null): Promise<PartitionState[]> => sql<
  PartitionState[]
>`
  select m.partition, m.owner, m.lease_until > clock_timestamp() as leased, m.epoch, m.position, m.processed,
    (select count(*) from (
      select from dead_letter d where d.partition = m.partition limit ${lettersMax}::bigint
    ) as counted) as letters
  from mailbox m order by m.partition`

/**
 * @param service the name of its consumer group.
 * @returns for each of the partitions, its group, undefined without one, or why Redis did not answer.
 */
export const readGroups = (
  redis: RedisClient,
  { prefix, topic, service }: { prefix: string; topic: Topic; service: string },
  partitions: number[],
): Promise<(Group | undefined | Error)[]> =>
  Promise.all(
    partitions.map((partition) =>
      groupsOf(redis, streamKey(prefix, topic, partition)).then(
        (groups) => groups.find((it) => it.name === service),
        (error: Error) => error,
      ),
    ),
  )
