import { expect, test } from 'vitest'
import { Rounds } from './rounds.ts'

/** Rounds whose results are given. The loop stops after the last one. */
class Given extends Rounds {
  readonly rounds: PromiseWithResolvers<number>[] = []
  readonly failures: unknown[] = []
  #begun = Promise.withResolvers<void>()

  async begun(): Promise<PromiseWithResolvers<number>> {
    await this.#begun.promise
    this.#begun = Promise.withResolvers()
    return this.rounds.at(-1)!
  }

  protected round(): Promise<number> {
    const round = Promise.withResolvers<number>()
    this.rounds.push(round)
    this.#begun.resolve()
    return round.promise
  }

  protected failed(error: unknown): number {
    this.failures.push(error)
    return 0
  }
}

const hourMs = 3_600_000

test('the next round begins after the pause, at once without one, and earlier when the loop is woken', async () => {
  const rounds = new Given({ name: 'given' })
  const stop = new AbortController()
  const running = rounds.run(stop.signal)
  const first = await rounds.begun()
  first.resolve(0)
  const second = await rounds.begun()
  // Woken during a round, whose work may have been read before.
  rounds.wake()
  second.resolve(hourMs)
  const third = await rounds.begun()
  third.resolve(hourMs)
  await third.promise
  rounds.wake()
  const fourth = await rounds.begun()
  fourth.resolve(hourMs)
  stop.abort()
  await running
  expect(rounds.rounds).toHaveLength(4)
})

test.each([
  { isCalm: false, failing: expect.any(Number) },
  { isCalm: true, failing: undefined },
])(
  'a failed round is repeated, and shows in the pulse unless the loop is calm: $isCalm',
  async ({ isCalm, failing }) => {
    const rounds = new Given({ name: 'given', isCalm })
    const stop = new AbortController()
    const running = rounds.run(stop.signal)
    const error = new Error('no')
    ;(await rounds.begun()).reject(error)
    const again = await rounds.begun()
    expect(rounds.failures).toEqual([error])
    expect(rounds.pulse.failingMs).toEqual(failing)
    again.resolve(hourMs)
    stop.abort()
    await running
    expect(rounds.pulse.failingMs).toBeUndefined()
  },
)

test('the pulse is due after the longest pause that the jitter allows', async () => {
  const rounds = new Given({ name: 'given', jitter: 0.25 })
  const stop = new AbortController()
  const paused = new Promise<number>((resolve) => {
    rounds.pulse.beat = (pauseMs = 0) => resolve(pauseMs)
  })
  const running = rounds.run(stop.signal)
  ;(await rounds.begun()).resolve(1_000)
  expect(await paused).toBe(1_250)
  stop.abort()
  await running
})
