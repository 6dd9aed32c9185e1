/** `npm run demo` from the outside, in its short form, and what it says when a promise does not hold. */
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startChild } from '../local/processes/child.ts'
import { listProcesses } from '../local/processes/kill-tree.ts'
import { root } from '../local/root.ts'
import { compileCache } from '../local/service.ts'
import type { Scene } from './acts/act.ts'
import { rush } from './acts/rush.ts'
import { BrokenPromise, Stage } from './stage.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bookreservation-test-'))
  await chmod(dir, 0o711)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

/** With stores and receivers in its environment that it must not use. */
async function demo(...args: string[]) {
  const lines: string[] = []
  const child = await startChild({
    command: process.execPath,
    args: [join(root, 'deploy/demo/main.ts'), ...args],
    env: {
      ...{ PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: dir, ...compileCache },
      ...{ DATABASE_URL: 'postgres://u@127.0.0.1:1/x', REDIS_URL: 'redis://127.0.0.1:1', PORT: 'x' },
    },
    graceMs: 20_000,
    onLine: (line) => lines.push(line),
  })
  return { child, lines }
}

test('the demo keeps every promise, and leaves nothing behind', async () => {
  const { child, lines } = await demo('--fast')
  expect(await child.exited, lines.join('\n')).toEqual({ code: 0, signal: null })
  const verdicts = lines.slice(lines.indexOf('What you have seen') + 1).filter((line) => line.includes('✔'))
  expect(verdicts).toEqual([
    expect.stringMatching(/never promised twice: 3 Reserved, 97 refused within .* has 0 left and holds 3$/),
    expect.stringMatching(/while stock is down and Redis is empty: 40 of 40 customers have an id/),
    expect.stringMatching(/exactly one outcome: 10 Reserved, 30 refused, 0 forgotten, .* holds 10$/),
    expect.stringMatching(/never twice: ann is notified .* 141 outcomes, 141 notices, 0 twice$/),
  ])
  // In a pipe, figures are plain lines, and the last ones are always there.
  expect(lines).toContain('   Reserved 3   refused 97   waiting 0')
  expect(lines.join('')).not.toContain('\x1b')
  expect(lines).toContainEqual(expect.stringMatching(/notifier: ##### 예약 완료 되었습니다 ##### ann$/))
  expect(await readdir(dir)).toEqual([])
}, 60_000)

test('at Ctrl-C the demo ends with everything that it has started', async () => {
  const { child, lines } = await demo('--fast')
  await child.line(/Starting a system/, 20_000)
  const childrenOf = (pid: number) => listProcesses().filter(({ parent }) => parent === pid)
  await expect.poll(() => childrenOf(child.pid).length, { timeout: 20_000 }).toBeGreaterThan(0)
  const started = childrenOf(child.pid).map(({ pid }) => pid)
  child.kill('SIGINT')
  expect(await child.exited).toEqual({ code: 130, signal: null })
  expect(lines.at(-1)).toBe('Stopped. The demo and its data are gone.')
  expect(listProcesses().filter(({ pid }) => started.includes(pid))).toEqual([])
  expect(await readdir(dir)).toEqual([])
}, 60_000)

test('a promise that does not hold is named, with what happened instead', async () => {
  let reserved = 0
  const people = {
    receive: async () => {},
    reserve: async () => ({ status: reserved++ < 4 ? 'Reserved' : 'Failed' }),
    stockOf: async () => ({ qty: 0, held: 3 }),
  }
  const stream = { write: () => true } as unknown as NodeJS.WriteStream
  const stage = new Stage({ stream, readingMs: 0, signal: AbortSignal.timeout(5_000) })
  const played = rush.play({ stage, people } as unknown as Scene)
  await expect(played).rejects.toThrow(BrokenPromise)
  await expect(played).rejects.toThrow(/^A copy is never promised twice: 4 Reserved, 96 refused/)
})
