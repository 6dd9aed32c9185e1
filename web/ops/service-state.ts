/** The state of a service, as operators see it. */
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import type { Apis } from '../apis/apis.ts'
import type { BacklogItem, Partition } from '../apis/operators.ts'
import { type Part, part } from '../part.ts'

export type ServiceState = {
  service: ServiceName
  ready: Part<unknown>
  partitions: Part<Partition[]>
  backlog: Part<BacklogItem[]>
}

/** @returns all services, also those that do not answer. */
export const readStates = (apis: Apis): Promise<ServiceState[]> =>
  Promise.all(serviceNames.map((service) => readState(apis, service)))

async function readState(apis: Apis, service: ServiceName): Promise<ServiceState> {
  const operators = apis.operators[service]
  const [ready, partitions, backlog] = await Promise.all([
    part(operators.call('getReadiness', {})),
    part(itemsOf(operators.read('listPartitions', {}))),
    part(itemsOf(operators.read('getBacklog', {}))),
  ])
  return { service, ready, partitions, backlog }
}

const itemsOf = async <Item>(page: Promise<{ items: Item[] } | undefined>) => (await page)?.items ?? []

/** Messages that a service had processed at a moment of `performance.now()`. */
export type Count = { processed: number; atMs: number }

export const countOf = ({ partitions }: ServiceState, atMs: number): Count | undefined =>
  partitions.ok ? { processed: partitions.value.reduce((sum, it) => sum + it.processed, 0), atMs } : undefined

/** @returns messages a second between two counts. */
export const rateBetween = (before: Count | undefined, after: Count | undefined): number | undefined =>
  before && after && after.atMs > before.atMs
    ? ((after.processed - before.processed) / (after.atMs - before.atMs)) * 1_000
    : undefined

export const partsOf = ({ ready, partitions, backlog }: ServiceState): Part<unknown>[] => [
  ready,
  partitions,
  backlog,
]

/** So that a page of a system with a thousand partitions is not a thousand rows long. */
const shownMax = 64

/** @returns the partitions to show, by number: if there are too many, those that need attention before the others. */
export function choosePartitions(all: Partition[]): { shown: Partition[]; hidden: number } {
  if (all.length <= shownMax) return { shown: all, hidden: 0 }
  const needy = all.filter(needsAttention)
  const shown = [...needy, ...all.filter((it) => !needsAttention(it))].slice(
    0,
    Math.max(shownMax, needy.length),
  )
  return {
    shown: shown.toSorted((a, b) => a.partition - b.partition),
    hidden: all.length - shown.length,
  }
}

const needsAttention = ({ leased, lag, deadLetters }: Partition): boolean =>
  !leased || lag === null || lag > 0 || deadLetters > 0
