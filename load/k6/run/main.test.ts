import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startChild } from '../../../deploy/local/processes/child.ts'
import { compileCache } from '../../../deploy/local/service.ts'
import { runK6 } from './k6.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bookreservation-k6-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** With only `dir` on the PATH. */
async function load(...args: string[]): Promise<{ code: number | null; lines: string[] }> {
  const script = join(import.meta.dirname, 'main.ts')
  const env = { ...compileCache, PATH: dir }
  const child = await startChild({ command: process.execPath, args: [script, ...args], env })
  return { code: (await child.exited).code, lines: child.tail() }
}

/** A k6 that prints how it was called. */
async function installK6(exitCode: number, report = true): Promise<void> {
  const script = `#!/bin/sh\necho "$@"\necho "$RESERVATION_URL $STOCK_URL $SECONDS $RATE $RESULTS_FILE"\necho "$K6_WEB_DASHBOARD_PERIOD"\n${report ? 'echo > "$K6_WEB_DASHBOARD_EXPORT"' : ''}\nexit ${exitCode}\n`
  await writeFile(join(dir, 'k6'), script)
  await chmod(join(dir, 'k6'), 0o755)
}

const system = ['--reservation', 'http://a:1', '--stock', 'http://a:2']

test('without k6 the error says how to install it', async () => {
  const { code, lines } = await load('smoke')
  expect(code).toBe(1)
  expect(lines[0]).toMatch(/^Cannot find k6/)
  expect(lines.join('\n')).toContain('go install go.k6.io/k6@')
})

test('k6 gets the system, the length, the rate and the file for results', async () => {
  await installK6(0)
  const { code, lines } = await load('reserve', ...system, '--seconds', '20', '--rate', '5', '--out', dir)
  expect(lines[0]).toMatch(/^run .*\/load\/k6\/reserve\.ts$/)
  expect(lines[1]).toBe(`http://a:1 http://a:2 20 5 ${dir}/reserve.json`)
  expect(lines.slice(-2)).toEqual([`Results: ${dir}/reserve.json`, `Report:  ${dir}/reserve.html`])
  expect(code).toBe(0)
})

test('a report that k6 did not write after a short run is not mentioned', async () => {
  await writeFile(join(dir, 'smoke.html'), 'of a run before')
  await installK6(0, false)
  const { lines } = await load('smoke', ...system, '--out', dir)
  expect(lines.slice(-2)).toEqual([`Results: ${dir}/smoke.json`, 'Report:  none, the run was too short'])
})

test('a crossed threshold fails the command', async () => {
  await installK6(99)
  expect((await load('smoke', ...system, '--out', dir)).code).toBe(1)
})

test('the report has a point every 10 seconds unless the run is short', async () => {
  await installK6(0)
  const periodOf = async (...args: string[]) => (await load(...args, ...system, '--out', dir)).lines[2]
  expect(await periodOf('soak')).toBe('10s')
  expect(await periodOf('soak', '--seconds', '20')).toBe('1s')
  expect(await periodOf('smoke')).toBe('1s')
})

test('k6 is not started if the run was stopped before', async () => {
  const stopped = AbortSignal.abort(new Error('Stopped by SIGINT'))
  await expect(runK6(join(dir, 'no k6'), 'smoke.ts', {}, stopped)).rejects.toThrow('Stopped by SIGINT')
})
