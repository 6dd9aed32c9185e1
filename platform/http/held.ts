/** Requests that are held open: waits for a decision (`Prefer: wait`) or a receipt, and event streams. */
import type { Metrics } from '../metrics.ts'
import { Places } from './places.ts'

/** Per process. About 20 KB each, so 40 MB of a heap of 128 MB; 5,000 connections take the rest (`serve.ts`). */
export const heldRequestsMax = 2_000

/** Of these, one customer may take as many: some open pages, each with a stream of all their reservations. */
export const heldPerPersonMax = 40

export function placesToWait({ heldBy }: Pick<Metrics, 'heldBy'>): Places {
  const places = new Places({
    max: heldRequestsMax,
    perPersonMax: heldPerPersonMax,
    refusal: `This process already holds ${heldRequestsMax} requests open. Try again later, or without waiting.`,
  })
  heldBy(() => places.taken)
  return places
}
