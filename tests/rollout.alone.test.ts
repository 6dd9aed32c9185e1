/** Replacing the processes of every service one by one, under load and behind a load balancer, fails no request. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type ServiceName, serviceNames } from '../platform/config.ts'
import { Balancer } from './doubles/balancer.ts'
import { eventually, inParallel, range } from './doubles/eventually.ts'
import { receive, reserve } from './harness/acts.ts'
import { audit } from './harness/audit.ts'
import type { Answer, Client } from './harness/client.ts'
import { type System, startOwnSystem } from './harness/system.ts'

test('replacing every process in turn fails no request', { timeout: 60_000 }, async (context) => {
  await using system = await startOwnSystem(context, {
    reservation: 2,
    stock: 2,
    notifier: 2,
    env: { DRAIN_MS: '300' },
  })
  await receive(system, 'book', 1_000)
  const watching = new AbortController()
  const balancers = serviceNames.map((service) => balance(system, service, watching.signal))
  const [reservation, stock, notifier] = balancers.map((it) => () => it.next()) as [Next, Next, Next]

  let rolling = true
  const accepted: { reservationid: string }[] = []
  const succeeds = async (status: number, asked: Promise<Answer<unknown>>) => {
    const answer = await asked
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
  }
  const readers = inParallel(range(6), 6, async (reader) => {
    for (let round = 0; rolling; round++) {
      accepted.push(await reserve(reservation(), 'book', `reader-${reader}-${round}`))
      await succeeds(200, reservation().get('/books'))
      await succeeds(200, stock().get('/stocks/book'))
      await succeeds(201, stock().post('/stocks', { bookid: 'book', qty: 0 }))
      await succeeds(200, notifier().get('/notices?limit=1'))
      await delay(20)
    }
  })
  const replace = async () => {
    for (const turn of range(2)) {
      await Promise.all(
        serviceNames.map(async (service) => {
          const process = system.processes[service][turn]!
          await process.stop()
          await process.start()
        }),
      )
      await eventually(() => balancers.every((balancer) => balancer.all()))
    }
    rolling = false
  }
  await Promise.all([readers, replace()])
  watching.abort()
  expect(accepted.length).toBeGreaterThan(20)
  await audit(system, { received: { book: 1_000 }, accepted })
})

type Next = () => Client

const balance = (system: System, service: ServiceName, signal: AbortSignal) =>
  new Balancer(
    system.processes[service].map((_, index) => system.client(service, index)),
    signal,
  )
