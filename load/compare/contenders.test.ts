/** The contenders that need no additional packages. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, inject, test } from 'vitest'
import { audit } from '../bench/audit.ts'
import { demandOf } from '../bench/books.ts'
import { runClosedLoop } from '../bench/closed-loop.ts'
import type { Surroundings } from '../bench/target.ts'
import { requestsOf, type Workload, wantedOf } from '../bench/workloads.ts'
import { contenders } from './contenders.ts'

let around: Surroundings
beforeAll(async () => {
  const logDir = await mkdtemp(join(tmpdir(), 'bookreservation-contenders-'))
  around = { databaseUrl: inject('postgresUrl'), redisUrl: inject('redisUrl'), runtime: 'node', logDir }
})
afterAll(() => rm(around.logDir, { recursive: true, force: true }))

const timing = { seconds: 0.02, warmupSeconds: 0 }
const workload: Workload = {
  ...{ name: 'hot', title: 'One hot book', clients: 16, status: 'Reserved' },
  ...demandOf('hot', 1),
}

test.concurrent.for(['skip-locked', 'redis-lua'] as const)(
  '%s decides each request once, and its books add up, even after a restart',
  async (name, { expect }) => {
    const loads = []
    for (let start = 0; start < 2; start++) {
      const target = await contenders[name].start(around, name)
      try {
        if (start === 0) await target.stock(workload.books)
        await target.prepare?.(workload, timing)
        const load = await runClosedLoop({
          ...{ host: '127.0.0.1', port: target.port, clients: workload.clients, requestsMax: 200 },
          ...{ warmupMs: 0, measuredMs: 10_000, graceMs: 10_000 },
          request: requestsOf(workload, target),
          wanted: wantedOf(workload, target),
        })
        expect(load).toMatchObject({ sent: 200, wanted: 200, other: {} })
        loads.push(load)
        expect((await audit(target, workload.books, loads)).line).toMatch(/ (2|4)00 copies held$/)
        expect(await audit(target, workload.books, loads)).toMatchObject({ right: true })
      } finally {
        await target.stop()
      }
    }
  },
)
