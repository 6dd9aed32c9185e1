/** The process that owns a partition, by the leases in Postgres. */

import type { ServiceName } from '../../platform/config.ts'
import { partitionOf } from '../../streams/partition.ts'
import { eventually, range } from '../doubles/eventually.ts'
import type { ServiceProcess } from './service-process.ts'
import type { System } from './system.ts'

type Lease = { owner: string | null; epoch: number; held: boolean }

export const partitionOfBook = (system: System, bookid: string): number =>
  partitionOf(bookid, system.partitions)

export async function leaseOf(system: System, service: ServiceName, partition: number): Promise<Lease> {
  const [lease] = await system.sql<Lease[]>`
    select owner, epoch, lease_until > clock_timestamp() as held
    from ${system.sql(service)}.mailbox where partition = ${partition}`
  return lease!
}

/** Waits until a running process owns the partition. An owner's name is `<host>-<pid>-<random>`. */
export const ownerOf = (system: System, service: ServiceName, partition: number): Promise<ServiceProcess> =>
  eventually(
    async () => {
      const { owner, held } = await leaseOf(system, service, partition)
      const pid = Number(owner?.match(/-(\d+)-[^-]+$/)?.[1])
      return held && system.processes[service].find((process) => process.running && process.pid === pid)
    },
    { message: `Partition ${partition} of ${service} has no owner` },
  )

/** Waits until every process of a service owns partitions, and all partitions are owned. */
export const sharedOut = (system: System, service: ServiceName): Promise<true> =>
  eventually(
    async () => {
      const owners = await Promise.all(
        range(system.partitions).map((partition) => leaseOf(system, service, partition)),
      )
      const names = new Set(owners.filter((lease) => lease.held).map((lease) => lease.owner))
      return owners.every((lease) => lease.held) && names.size === system.processes[service].length
    },
    { message: `Not every process of ${service} has partitions` },
  )
