/** Requests whose answer is held: waits for a decision (`Prefer: wait`) or a receipt, and streams of events. */
import type { Metrics } from '../metrics.ts'
import { Places } from './places.ts'

/** For each process: about 20 KB each, so 40 MB of a heap of 128 MB. The others are what 5,000 connections take (`serve.ts`). */
export const heldRequestsMax = 2_000

export function placesToWait({ heldBy }: Pick<Metrics, 'heldBy'>): Places {
  const places = new Places({
    max: heldRequestsMax,
    refusal: `This process holds ${heldRequestsMax} requests open already. Try again later, or without waiting.`,
  })
  heldBy(() => places.taken)
  return places
}
