import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const files = (suffix: string) => `{actors,platform,streams,web,tests,deploy,load}/**/*${suffix}`
const patient = {
  pool: 'forks',
  setupFiles: 'deploy/local/keep-compiled.ts',
  testTimeout: 30_000,
  hookTimeout: 30_000,
  expect: { poll: { timeout: 5_000 } },
} as const

/** Of few bytes, but among the longest: vitest begins with the largest files, so these would run last and leave a core idle. */
const longForTheirSize = /\/(faults\/faults|pages\/pages)\.test\.ts$/

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => longForTheirSize.test(moduleId)
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    globalSetup: 'deploy/local/global-setup.ts',
    sequence: { sequencer: LongFirst },
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
