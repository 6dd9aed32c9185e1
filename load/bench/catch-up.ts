/** Stock is down while customers keep reserving. How fast does it decide the backlog when it is back? */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Growth, growthOf, type Weight } from './bytes.ts'
import { type LoadResult, runClosedLoop } from './closed-loop.ts'
import type { Product } from './product.ts'
import { call } from './target.ts'
import { requestsOf, type Workload, wantedOf } from './workloads.ts'

const pollMs = 50
const decidedMaxMs = 300_000

export type CatchUp = {
  accepted: LoadResult
  decided: number
  /** Between the first decision and the last. */
  perSecond: number
  /** From the start of stock's process to the first decision. */
  firstMs: number
  /** The growth of the stores per waiting reservation. */
  waiting: Growth
}

/** @param workload whose reservations are only accepted. */
export async function catchUp(
  product: Product,
  workload: Workload,
  queued: number,
  weigh: () => Promise<Weight>,
): Promise<CatchUp> {
  await product.stopStock()
  const before = await decidedBy(product)
  const weight = await weigh()
  const accepted = await runClosedLoop({
    host: '127.0.0.1',
    port: product.port,
    clients: workload.clients,
    requestsMax: queued,
    warmupMs: 0,
    measuredMs: decidedMaxMs,
    graceMs: 35_000,
    request: requestsOf(workload, product),
    wanted: wantedOf(workload, product),
  })
  const waiting = growthOf(weight, await weigh(), accepted.sent)
  const startedAt = performance.now()
  await product.startStock()
  let first: { at: number; decided: number } | undefined
  for (;;) {
    const decided = (await decidedBy(product)) - before
    const now = performance.now()
    if (decided > 0) first ??= { at: now, decided }
    if (decided >= accepted.wanted || now - startedAt > decidedMaxMs) {
      const since = first ?? { at: startedAt, decided: 0 }
      const perSecond = ((decided - since.decided) * 1000) / Math.max(1, now - since.at)
      return { accepted, decided, perSecond, firstMs: since.at - startedAt, waiting }
    }
    await sleep(pollMs)
  }
}

/** From the metrics of the reservation service, because a query of its tables would disturb the measurement. */
async function decidedBy({ opsUrls }: Product): Promise<number> {
  const text = await (await call(`${opsUrls.reservation}/metrics`)).text()
  const lines = text.matchAll(
    /^bookreservation_reservations_decided_total\{.*outcome="(?:Reserved|Failed)".*\} (\d+)/gm,
  )
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0)
}
