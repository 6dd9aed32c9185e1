import { expect, test } from 'vitest'
import { demandedOf, demandOf } from './books.ts'
import type { Target } from './target.ts'
import { createWorkload, requestsOf, saysCreated, workloadNames } from './workloads.ts'

test("by Zipf's law the n-th book is requested an n-th as often as the first", () => {
  const { books, order } = demandOf('zipf', 10_000)
  const times = Map.groupBy(order, (bookid) => bookid)
  const of = (rank: number) => times.get(books[rank - 1]!)!.length
  expect(of(1) / of(2)).toBeCloseTo(2, 1)
  expect(of(1) / of(100)).toBeGreaterThan(90)
  expect(of(1) / of(100)).toBeLessThan(110)
  expect(of(10_000)).toBeGreaterThanOrEqual(1)
  expect(times.size).toBe(10_000)
})

const target = { requestFor: (bookid: string) => bookid, says: saysCreated } as unknown as Target

test('of equally popular books, each is requested once before any is requested again', () => {
  const request = requestsOf(createWorkload('many', { clients: 2, books: 1_000 }), target)
  expect(new Set(Array.from({ length: 1_000 }, (_, count) => request(1, count))).size).toBe(1_000)
})

test("by Zipf's law a single client sees the same shares as a crowd", () => {
  const request = requestsOf(createWorkload('zipf', { clients: 2, books: 100 }), target)
  const sent = Array.from({ length: 20_000 }, (_, count) => request(0, count))
  const first = sent.filter((bookid) => bookid === 'book-0').length
  const second = sent.filter((bookid) => bookid === 'book-1').length
  expect(first / second).toBeCloseTo(2, 0)
})

test('every workload requests the books that it lists', () => {
  for (const name of workloadNames) {
    const { books, order, clients } = createWorkload(name, { clients: 8, books: 50 })
    expect(new Set(books)).toEqual(new Set(order))
    expect([1, 8, 16]).toContain(clients)
  }
})

test('with a row per copy, no run can use up the copies of a book', () => {
  for (const name of ['hot', 'many', 'zipf'] as const) {
    const workload = createWorkload(name, { clients: 256, books: 1_000 })
    const demanded = demandedOf(workload, { seconds: 1, warmupSeconds: 0.5 })
    const request = requestsOf(workload, target)
    const left = new Map(demanded)
    // 15,000 per second: faster than any contender.
    for (let number = 0; number < 22_500; number++) {
      const bookid = request(number % 256, Math.floor(number / 256))
      left.set(bookid, left.get(bookid)! - 1)
    }
    expect(Math.min(...left.values()), name).toBeGreaterThanOrEqual(0)
  }
})
