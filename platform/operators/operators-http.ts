/**
 * The HTTP API of operators that every service has: partitions, dead letters and the backlog. It is for staff: no path of the
 * public host leads to it.
 */
import { type BacklogHttpOptions, mountBacklog } from './backlog-http.ts'
import { type DeadLettersHttpOptions, mountDeadLetters } from './dead-letters-http.ts'
import { mountPartitions, type PartitionsHttpOptions } from './partitions-http.ts'

export type OperatorsHttpOptions = PartitionsHttpOptions & DeadLettersHttpOptions & BacklogHttpOptions

/** Add `operatorTag` to the tags of the service. */
export function mountOperators(options: OperatorsHttpOptions): void {
  mountPartitions(options)
  mountDeadLetters(options)
  mountBacklog(options)
}

export const operatorTag = { operator: 'Partitions, dead letters and the backlog' }
