/**
 * `npm test [arguments for vitest]`: lint, types, English, then all tests except the long ones. The last line counts them.
 * `npm test -- --project=long` runs the long ones.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, type Report } from './report.ts'
import { english, lint, packaged, runSteps, types } from './steps.ts'

const folder = await mkdtemp(join(tmpdir(), 'bookreservation-report-'))
const reportFile = join(folder, 'report.json')
const args = process.argv.slice(2)
const usual = args.some((it) => it.startsWith('--project')) ? [] : ['--project=together', '--project=alone']
const vitest = [
  ...packaged('vitest/vitest.mjs'),
  ...['run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`],
  ...usual,
  ...args,
] as [string, ...string[]]

try {
  const code = await runSteps([lint, types, english, { name: 'tests', command: vitest }])
  const report = await readFile(reportFile, 'utf8').then(
    (text) => JSON.parse(text) as Report,
    () => undefined,
  )
  if (!report) console.log('The test run did not complete.')
  console.log(count(report, code))
  process.exitCode = code
} finally {
  await rm(folder, { recursive: true, force: true })
}
