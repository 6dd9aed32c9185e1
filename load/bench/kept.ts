/** The growth of the product's tables and the size of its commits, measured before and after all rounds. */
import { type Batches, batchesOf, describeBatches } from './batches.ts'
import type { Product } from './product.ts'
import { describeTables, type TableBytes, tableBytesOf } from './tables.ts'

export type Kept = { batches: Batches[]; tables: TableBytes[] }

export const keptBy = async (product: Product): Promise<Kept> => ({
  batches: await batchesOf(product.processes),
  tables: await tableBytesOf(product.databaseUrl),
})

/** @param requests the number of requests between the two. */
export const describeKept = (before: Kept, after: Kept, requests: number) => ({
  batches: describeBatches(before.batches, after.batches),
  tables: describeTables(before.tables, after.tables, requests),
})
