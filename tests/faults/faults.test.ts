/** The most likely faults, one after the other, under load and with identity on: nothing is lost and nothing happens twice. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from '../harness/service-process.ts'

const run = promisify(execFile)

test('three faults one after the other violate nothing', { timeout: 120_000 }, async () => {
  const { stdout } = await run(process.execPath, ['tests/faults/main.ts', '--quick', '--identity'], {
    cwd: root,
  }).catch((error: { stdout: string; stderr: string }) => ({ stdout: `${error.stdout}\n${error.stderr}` }))
  expect(stdout).toMatch(/^3 held, 0 did not$/m)
})
