/** Several faults at once, and more customers than the system can serve. */
import { range } from '../../doubles/eventually.ts'
import { stranger } from '../population.ts'
import type { Stage } from '../stage.ts'
import { killBackend } from './postgres.ts'
import type { Scenario } from './scenario.ts'

export const overload: Scenario[] = [
  {
    name: 'overlapping',
    title: 'Redis is flushed, backends and processes are killed and clients disconnected, all at once',
    needs: { share: 0.95, afterRetry: true, decidedMs: 30_000, acceptedMs: 5_000 },
    async fault(stage) {
      const { admin } = stage.world
      await stage.harm('notifier', () =>
        Promise.all([
          stage.often(8, 2_500, () => admin.flushall()),
          stage.often(8, 200, () => killBackend(stage)),
          stage.often(8, 700, () => admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
          stage.often(8, 1_000, () => restartOne(stage)),
        ]),
      )
    },
  },
  {
    name: 'burst',
    title: 'five times as many customers as can be served',
    needs: { only503: true, promptMs: 5_000, decidedMs: 30_000, acceptedMs: 5_000 },
    async fault(stage) {
      const capacity = await rush(stage, capacityWidth)
      const goodput = await rush(stage, 5 * capacityWidth)
      stage.note(
        `accepted ${capacity.toFixed(0)}/s by ${capacityWidth}, ${goodput.toFixed(0)}/s by five times as many`,
      )
      stage.burst = { capacity, goodput }
    },
  },
]

/** This many concurrent requests keep it busy. */
const capacityWidth = 48
const rushSeconds = 4

/** @returns accepted reservations per second. */
async function rush(stage: Stage, width: number): Promise<number> {
  let accepted = 0
  const end = Date.now() + rushSeconds * 1_000
  const ask = async () => {
    while (Date.now() < end) {
      const bookid = `book-${stage.random.below(24)}`
      const call = await stage.requests.make({ kind: 'reserve', bookid, userid: stranger })
      if (call.end === 'ok') accepted++
    }
  }
  await Promise.all(range(width).map(ask))
  return accepted / rushSeconds
}

async function restartOne(stage: Stage): Promise<void> {
  const process = stage.anyOf(stage.random.pick(['stock', 'notifier', 'reservation']))
  stage.note(`SIGKILL of ${process.name}`)
  await process.restart()
}
