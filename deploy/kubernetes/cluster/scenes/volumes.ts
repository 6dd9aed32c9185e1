/** The pods of both stores are deleted while customers ask: their volumes stay, and services find the new pods. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Scene } from '../stage.ts'

export const volumes: Scene = {
  name: 'volumes',
  heading: 'Volumes',
  async play(stage) {
    await stage.call('ingress', 'stock', '/stocks', { body: { bookid: 'kept', qty: 5, title: 'Kept' } })
    const before = await stage.reservations()
    const since = performance.now()
    await stage.kubectl('delete', 'pod', 'postgres-0', 'redis-0', '--wait=false')
    await delay(1_000)
    await stage.cluster.eventually('a decision', async () => {
      const body = { bookid: 'kept', userid: `after-${Math.round(performance.now())}` }
      const headers = { prefer: 'wait=1' }
      const answer = await stage.call('ingress', 'reservation', '/reservations', {
        body,
        headers,
        seconds: 3,
      })
      if (answer.status !== 201 || !/"(Reserved|Failed)"/.test(answer.body)) throw new Error(answer.body)
    })
    stage.took('a reservation is decided again', since, 10)
    const kept = await stage.call('ingress', 'stock', '/stocks/kept')
    stage.check('stock is there', kept.status, '200', kept.status === 200)
    const after = await stage.reservations()
    const lost = Object.keys(before).filter((it) => (after[it] ?? 0) < before[it]!)
    stage.check('reservations that are gone', lost.join() || 'none', 'none', lost.length === 0)
  },
}
