import { expect, test, vi } from 'vitest'
import { type Child, startChild } from './child.ts'
import { commandLine } from './orphan.ts'
import { supervise } from './supervise.ts'

const node = (script: string) =>
  startChild({ name: 'script', command: process.execPath, args: ['-e', script], graceMs: 200 })

const lives = "console.log('ready'); setInterval(() => {}, 1000)"

/** A zombie counts as dead, even if it was not reaped yet. */
const alive = async (pid: number) => (await commandLine(pid)) !== ''

test('a killed process is restarted, and that is reported', async () => {
  const said: string[] = []
  const starts: Child[] = []
  const start = async () => {
    const child = await node(lives)
    starts.push(child)
    return child
  }
  await using it = await supervise({ name: 'stock', start, say: (line) => said.push(line), backoffMinMs: 1 })
  const first = it.current
  first.kill('SIGKILL')
  await vi.waitUntil(() => said.includes('stock is running again'))
  expect(said[0]).toBe('stock exited with SIGKILL; restarting it in 1 ms')
  expect(it.current.pid).not.toBe(first.pid)
  expect(await alive(it.current.pid)).toBe(true)
})

test('a process that keeps exiting is restarted with growing delays', async () => {
  const said: string[] = []
  const start = () => node('process.exitCode = 3')
  await using _it = await supervise({
    name: 'stock',
    start,
    say: (line) => said.push(line),
    backoffMinMs: 1,
    backoffMaxMs: 4,
  })
  const ends = () => said.filter((line) => line.includes('exited with code 3'))
  await vi.waitUntil(() => ends().length >= 4, 10_000)
  expect(
    ends()
      .map((line) => line.match(/in (\d+) ms/)?.[1])
      .slice(0, 4),
  ).toEqual(['1', '2', '4', '4'])
})

test('a restart on request has no delay, and after one that failed only the next request starts it', async () => {
  const said: string[] = []
  let isBroken = false
  const start = async () => {
    if (isBroken) throw new Error('a syntax error')
    return node(lives)
  }
  const options = { name: 'stock', start, say: (line: string) => said.push(line), backoffMinMs: 60_000 }
  await using it = await supervise(options)
  const first = it.current
  await it.restart()
  await vi.waitUntil(() => said.includes('stock is running again'))
  expect(it.current.pid).not.toBe(first.pid)
  isBroken = true
  await it.restart()
  await vi.waitUntil(() => said.includes('stock did not start: a syntax error'))
  isBroken = false
  await it.restart()
  await vi.waitUntil(() => said.length === 3)
  expect(said.at(-1)).toBe('stock is running again')
  expect(await alive(it.current.pid)).toBe(true)
})

test('a stopped process stays stopped, even during a delay', async () => {
  const said: string[] = []
  const start = () => node(lives)
  const it = await supervise({ name: 'stock', start, say: (line) => said.push(line), backoffMinMs: 60_000 })
  it.current.kill('SIGKILL')
  await vi.waitUntil(() => said.length > 0)
  await it.stop()
  expect(await alive(it.current.pid)).toBe(false)
  expect(said).toHaveLength(1)
})

test('a process that never ran is not restarted', async () => {
  const start = async () => {
    const child = await node("console.error('no such setting'); process.exitCode = 1")
    await child.line(/ready/, 5_000)
    return child
  }
  await expect(supervise({ name: 'stock', start, say: () => {} })).rejects.toThrow(
    'script ended with code 1:\nno such setting',
  )
})

test('a process that ignores its stop signal is killed', async () => {
  const child = await node(`process.on('SIGTERM', () => {}); ${lives}`)
  await child.line(/ready/, 5_000)
  expect(await child.stop()).toEqual({ code: null, signal: 'SIGKILL' })
})

test('a child ends with its starter, even if that was killed', async () => {
  const url = new URL('./child.ts', import.meta.url)
  const starter = await node(`
    import(${JSON.stringify(url.href)}).then(async ({ startChild }) => {
      const child = await startChild({ command: process.execPath, args: ['-e', ${JSON.stringify(lives)}] })
      await child.line(/ready/, 5000)
      console.log('grandchild ' + child.pid)
    })`)
  const line = await starter.line(/^grandchild/, 10_000)
  const grandchild = Number(line.split(' ')[1])
  expect(await alive(grandchild)).toBe(true)
  starter.kill('SIGKILL')
  await vi.waitUntil(async () => !(await alive(grandchild)), 5_000)
})
