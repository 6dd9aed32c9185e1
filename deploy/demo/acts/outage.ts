import { setTimeout as sleep } from 'node:timers/promises'
import type { Reservation } from '../people.ts'
import type { Act, Scene } from './act.ts'

const book = { bookid: 'dune', title: 'Dune' }
const copies = 10
const customers = 40
const decisionsMaxMs = 60_000

export const outage: Act = {
  title: '2. Stock is killed, and Redis forgets everything',
  async play(scene) {
    const { stage, system, people } = scene
    await people.receive(book.bookid, book.title, copies)
    const pid = await system.kill('stock')
    await stage.say(
      `kill -9 ${pid}: that was stock, the only service that knows how many copies there are. Customers must not notice: a reservation needs the reservation service and Postgres, nothing else.`,
    )
    const firstMs = await accept(scene, 0, customers / 2)
    const keys = await system.flushRedis()
    await stage.say(
      `FLUSHALL: Redis has lost all ${keys} keys, and with them every message to stock. The truth is in Postgres, so nothing is lost. More customers come.`,
    )
    const secondMs = await accept(scene, customers / 2, customers)
    const accepted = await people.reservationsOf(book.bookid)
    stage.check(
      'Reservations are accepted while stock is down and Redis is empty',
      accepted.length === customers && accepted.every(isUndecided),
      `${accepted.length} of ${customers} customers have an id, the slowest after ${Math.max(firstMs, secondMs).toFixed(0)} ms`,
    )

    await stage.say(
      'Stock starts again. When the lease of the killed process has run out, it takes over the books, and what Redis forgot is sent again.',
    )
    const startedAt = performance.now()
    await system.start('stock')
    const decided = await people.until(
      () => readDecisions(scene),
      (all) => !all.some(isUndecided),
      decisionsMaxMs,
    )
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    const { qty, held } = await people.stockOf(book.bookid)
    const reserved = howMany(decided, 'Reserved')
    const refused = howMany(decided, 'Failed')
    stage.check(
      'Every accepted reservation gets exactly one outcome',
      reserved === copies && refused === customers - copies && qty === 0 && held === copies,
      `${reserved} Reserved, ${refused} refused, ${customers - reserved - refused} forgotten, ${seconds} s after the start; stock holds ${held}`,
    )
  },
}

/** Customers reserve, one after the other. @returns the longest that one of them waited, in milliseconds. */
async function accept(scene: Scene, from: number, to: number): Promise<number> {
  const { people, stage, betweenMs, signal } = scene
  let slowestMs = 0
  for (let n = from; n < to; n++) {
    const startedAt = performance.now()
    await people.reserve(book.bookid, `patient-${n}`)
    slowestMs = Math.max(slowestMs, performance.now() - startedAt)
    stage.figures(`accepted ${n + 1}   slowest answer ${slowestMs.toFixed(0)} ms`)
    await sleep(betweenMs, undefined, { signal })
  }
  return slowestMs
}

async function readDecisions({ people, stage }: Scene): Promise<Reservation[]> {
  const all = await people.reservationsOf(book.bookid)
  stage.figures(`accepted ${all.length}   decided ${all.length - howMany(all, 'Requested')}`)
  return all
}

const isUndecided = ({ status }: Reservation) => status === 'Requested'
const howMany = (all: Reservation[], status: string) => all.filter((it) => it.status === status).length
