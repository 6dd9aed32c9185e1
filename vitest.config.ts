import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const files = (suffix: string) => `{actors,platform,streams,web,tests,deploy,load}/**/*${suffix}`
/**
 * The files that take longest, or long for their size. They start first, because one that starts last would run alone at the end.
 * Vitest itself knows how long a file takes only after a run on the same machine, and until then begins with those of the most
 * bytes.
 */
const longest = [
  'tests/faults/faults.test.ts',
  'tests/pages/pages.test.ts',
  'deploy/local/start.test.ts',
  'tests/guarantees/02-every-accepted-reservation-gets-exactly-one-outcome.test.ts',
  'tests/guarantees/dead-connections-are-replaced.test.ts',
  'tests/guarantees/04-reservations-are-accepted-while-others-are-down.test.ts',
  'tests/guarantees/07-customers-are-notified-of-every-outcome-and-never-twice.test.ts',
  'load/k6/scripts.test.ts',
  'tests/stores-that-disagree.test.ts',
  'tests/unavailable.test.ts',
  'deploy/ops/restored/restored.test.ts',
  'actors/reservation/plans.test.ts',
  'actors/stock/plans.test.ts',
  'load/bench/reach.test.ts',
  'tests/clocks-that-disagree.test.ts',
  'streams/silence.test.ts',
  'tests/probes.test.ts',
  'tests/rush.test.ts',
  'streams/redis.test.ts',
  'platform/watch.test.ts',
  'tests/original.test.ts',
  'deploy/kubernetes/proof/healing.test.ts',
  'tests/cluster.test.ts',
  'tests/deno.test.ts',
]

const gone = longest.filter((file) => !existsSync(join(import.meta.dirname, file)))
if (gone.length > 0) throw new Error(`Update the list of long test files: ${gone.join(', ')} is gone`)

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      const rank = longest.indexOf(relative(import.meta.dirname, moduleId))
      return rank < 0 ? longest.length : rank
    }
    return (await super.sort(files)).sort((a, b) => rankOf(a) - rankOf(b))
  }
}

const patient = {
  pool: 'forks',
  testTimeout: 30_000,
  hookTimeout: 30_000,
  expect: { poll: { timeout: 5_000 } },
} as const

export default defineConfig({
  test: {
    globalSetup: 'deploy/local/global-setup.ts',
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...patient,
          name: 'together',
          include: [files('.test.ts')],
          exclude: [...configDefaults.exclude, files('.alone.test.ts'), files('.long.test.ts')],
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Tests that measure speed run one at a time, after all others.
        test: {
          ...patient,
          name: 'alone',
          include: [files('.alone.test.ts')],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Long tests run only on request: `--project=long`.
        test: {
          ...patient,
          name: 'long',
          include: [files('.long.test.ts')],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
