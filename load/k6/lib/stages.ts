/** The rate of arrivals over time. Pure. */

/** Seconds, and the share of the peak rate that is reached linearly in that time. */
export type Stage = [seconds: number, share: number]

type Ramp = {
  startRate: number
  stages: { duration: string; target: number }[]
  seconds: number
}

/**
 * @param peak customers per second at share 1.
 * @param seconds the total length, to which the stages are shortened. Default: their own length.
 */
export function rampOf(stages: Stage[], peak: number, seconds?: number): Ramp {
  const total = stages.reduce((sum, [length]) => sum + length, 0)
  const scale = (seconds ?? total) / total
  const rateAt = (share: number) => Math.max(1, Math.round(peak * share))
  return {
    startRate: rateAt(stages[0]![1]),
    stages: stages.map(([length, share]) => ({
      duration: `${Math.max(1, Math.round(length * scale * 1000))}ms`,
      target: rateAt(share),
    })),
    seconds: total * scale,
  }
}
