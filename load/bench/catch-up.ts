/** Stock is down, customers go on reserving; when it is back, how fast does it decide what was queued? */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Growth, growthOf, type Weight } from './bytes.ts'
import { type LoadResult, runClosedLoop } from './closed-loop.ts'
import type { Product } from './product.ts'
import { ask } from './target.ts'
import { requestsOf, type Workload, wantedOf } from './workloads.ts'

const pollMs = 50
const decidedMaxMs = 300_000

export type CatchUp = {
  accepted: LoadResult
  decided: number
  /** From the first decision to the last. */
  perSecond: number
  /** From starting stock's process to the first decision. */
  firstMs: number
  /** What each reservation left in the stores while it waited. */
  waiting: Growth
}

/** @param workload of accepted reservations. */
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
  const waiting = growthOf(weight, await weigh(), accepted.asked)
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

/** As the reservation service counts it: asking its tables would take part in what is measured. */
async function decidedBy({ opsUrls }: Product): Promise<number> {
  const text = await (await ask(`${opsUrls.reservation}/metrics`)).text()
  const lines = text.matchAll(/^reservations_decided_total\{.*outcome="(?:Reserved|Failed)".*\} (\d+)/gm)
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0)
}
