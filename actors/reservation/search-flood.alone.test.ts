/** Many concurrent searches leave other routes fast. Full size: `BOOKS=100000 npm test -- actors/reservation/search-flood`. */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { eventually, range } from '../../tests/doubles/eventually.ts'
import { receive } from '../../tests/harness/acts.ts'
import { startOwnSystem } from '../../tests/harness/system.ts'

const books = Number(process.env.BOOKS ?? 6_000)
const searchesAtOnce = 300
const acceptedWithinMs = 500

/** Common words, rare words, numbers, and characters that no book has. */
const terms = ['제목', 'title number', 'zz1', '978-00-000-7777-7', '%%%%%%%%', '온다', 'q', '저자 4999', 'e']

test(`${searchesAtOnce} concurrent searches of ${books} books do not slow down other routes`, {
  timeout: 300_000,
}, async (context) => {
  await using system = await startOwnSystem(context, { notifier: 0 })
  const { reservation, sql } = system
  for (let from = 1; from <= books; from += 2_000) {
    await sql`insert into reservation.book (bookid, title, author, isbn, available, held, version)
      select 'b' || i, case i % 2 when 0 then 'Title number ' || i || ' of the long series about ' || md5(i::text)
        else '책 제목 ' || md5(i::text) || ' 소년이 온다 ' || i end,
        '저자 ' || i % 5000, '978' || lpad(i::text, 10, '0'), i % 3, 0, 1
      from generate_series(${from}::int, ${from + 1_999}::int) as i`
  }
  await sql`analyze reservation.book, reservation.book_search`
  await receive(system, 'wanted', 1_000)
  const { body } = await reservation.post<{ reservationid: string }>('/reservations', {
    bookid: 'wanted',
    userid: 'ann',
  })

  let searching = true
  let accepted: number[] = []
  const beside = async () => {
    for (let i = 0; searching; i++) {
      const answer = await reservation.post('/reservations', { bookid: 'wanted', userid: `u${i}` })
      expect(answer.status).toBe(201)
      accepted.push(answer.tookMs)
      const key = { headers: { 'idempotency-key': `flood-${i}` } }
      expect(
        (await reservation.post('/reservations', { bookid: 'wanted', userid: `k${i}` }, key)).status,
      ).toBe(201)
      for (const path of [
        '/readyz',
        `/reservations/${body.reservationid}`,
        '/reservations?userid=u1',
        '/books?limit=5',
      ]) {
        expect((await reservation.get(path)).status, path).toBe(200)
      }
      await delay(5)
    }
  }
  const besides = Promise.all(range(4).map(beside))
  await delay(2_000)
  const quiet = p99Of(accepted)
  accepted = []
  const statuses: number[] = []
  for (const round of range(3)) {
    const urls = range(searchesAtOnce).map((i) => {
      const q = encodeURIComponent(terms[(i + round) % terms.length]!)
      return `${reservation.url}/books?q=${q}`
    })
    statuses.push(...(await askAllAtOnce(urls)))
  }
  searching = false
  await besides
  const p99 = p99Of(accepted)
  const count = (status: number) => statuses.filter((it) => it === status).length
  console.log(
    `${statuses.length} searches: ${count(200)} answered, ${count(503)} refused; beside them ${accepted.length} reservations accepted, p99 ${p99.toFixed(0)} ms (${quiet.toFixed(0)} ms before)`,
  )
  expect(count(200) + count(503)).toBe(statuses.length)
  expect(count(200)).toBeGreaterThan(0)
  // A machine that is slow anyway proves nothing about the searches.
  expect(p99).toBeLessThan(Math.max(acceptedWithinMs, 3 * quiet))
  await eventually(
    async () => {
      const running = await sql`
      select from pg_stat_activity
      where datname = current_database() and state = 'active' and query like '%book_search%' and pid <> pg_backend_pid()`
      return running.length === 0
    },
    { timeoutMs: 2_000, message: 'Abandoned searches are still running' },
  )
})

const p99Of = (ms: number[]) => [...ms].sort((a, b) => a - b)[Math.floor(ms.length * 0.99)]!

/** Runs in another thread, so that the responses do not delay the measurements here. */
async function askAllAtOnce(urls: string[]): Promise<number[]> {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    const ask = (url) => fetch(url).then((it) => it.arrayBuffer().then(() => it.status))
    Promise.all(workerData.map(ask)).then((statuses) => parentPort.postMessage(statuses))`
  const [statuses] = await once(new Worker(code, { eval: true, workerData: urls }), 'message')
  return statuses
}
