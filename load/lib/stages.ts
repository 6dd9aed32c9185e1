/** How the rate of arrivals goes up and down. Pure. */

/** For so many seconds, a straight line to this share of the peak rate. */
export type Stage = [seconds: number, share: number]

export type Ramp = {
  startRate: number
  stages: { duration: string; target: number }[]
  seconds: number
}

/**
 * @param peak customers a second at share 1.
 * @param seconds to squeeze the stages into; without it they last as long as they say.
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
