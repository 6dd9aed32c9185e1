/** A machine that cannot run the cluster says why, before anything is built. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const main = join(import.meta.dirname, 'main.ts')

/** Starts it with an empty PATH. */
async function refusal(...args: string[]): Promise<string> {
  const env = { ...process.env, PATH: '' }
  const ended = promisify(execFile)(process.execPath, [main, '--test', ...args], { env })
  return await ended.then(
    () => 'it ran',
    ({ stdout, stderr }) => stdout + stderr,
  )
}

test('without its programs', async () => {
  const reason =
    process.platform !== 'linux' || process.arch !== 'x64'
      ? 'It needs Linux on x64'
      : process.getuid?.() !== 0
        ? 'It needs root'
        : 'These programs are missing: go, podman, runc'
  expect(await refusal()).toContain(`Cannot run a cluster on this machine.\n${reason}`)
})

test('without those of kind', async () => {
  const reason = 'These programs are missing: go, podman, docker, kind, kubectl'
  expect(await refusal('--kind')).toBe(`Cannot run a cluster on this machine.\n${reason}\n`)
})

test('for a scene that does not exist', async () => {
  expect(await refusal('--only', 'healing,hailing')).toContain('There is no scene hailing. See --help')
})
