/** From the receipt of a book to the notice of a reservation, and who may call at all. */
import type { Scene } from '../stage.ts'

export const calls: Scene = {
  name: 'calls',
  heading: 'A reservation, from the receipt to the notice',
  async play(stage) {
    const momo = { bookid: '1', qty: 3, title: 'Momo' }
    const received = await stage.call('ingress', 'stock', '/stocks', { body: momo })
    stage.check('receipt of three copies', received.status, '201', received.status === 201)

    const body = { bookid: '1', userid: 'test1' }
    const since = performance.now()
    const reserved = await stage.call('ingress', 'reservation', '/reservations', {
      body,
      headers: { prefer: 'wait=5' },
    })
    const { status, reservationid } = JSON.parse(reserved.body || '{}') as Record<string, string>
    stage.check('status of the reservation', status ?? reserved.status, 'Reserved', status === 'Reserved')
    stage.took('decided, with the start of the caller', since, 5)

    const left = await stage.call('ingress', 'stock', '/stocks/1')
    const { qty } = JSON.parse(left.body) as { qty: number }
    stage.check('copies left', qty, '2', qty === 2)

    await stage.cluster.eventually('the notice', async () => {
      const notifier = ['-l', 'app.kubernetes.io/name=notifier', '-c', 'service', '--tail=-1']
      const log = await stage.kubectl('logs', ...notifier)
      if (!log.includes(`"reservationid":"${reservationid}"`)) throw new Error('no notice yet')
    })
    stage.took('the notice is in the log of the notifier', since, 30)
  },
}
