import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Child, startChild } from '../processes/child.ts'
import { type DataFolderOptions, takeDataFolder } from './data-folder.ts'

let path: string
let said: string[]
let lost: string[]
beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), 'bookreservation-test-')), 'data')
  said = []
  lost = []
})
afterEach(() => rm(join(path, '..'), { recursive: true, force: true }))

const take = (options: Partial<DataFolderOptions> = {}) =>
  takeDataFolder(path, {
    say: (line) => said.push(line),
    onLost: (reason) => lost.push(reason),
    silenceMs: 400,
    beatMs: 20,
    ...options,
  })

const lockFile = () => join(path, 'start.lock')
const beatFile = () => join(path, 'start.beat')

/** The lock file of a start on another machine. */
const foreign = JSON.stringify({ id: 'other', kernel: 'another boot', host: 'elsewhere', pid: 7 })

/** Another process that takes the folder, and lives until it is killed. */
async function owner(): Promise<Child> {
  const module = new URL('./data-folder.ts', import.meta.url).href
  const script = `
    const { takeDataFolder } = await import(${JSON.stringify(module)})
    await takeDataFolder(process.argv[1], { say() {}, onLost() {} })
    console.log('taken')`
  const args = ['--input-type=module', '-e', script, path]
  const child = await startChild({ name: 'owner', command: process.execPath, args })
  await child.line(/^taken$/, 10_000)
  return child
}

test('O1: one start has the folder, and the next gets it after a normal end', async () => {
  const first = await take()
  await expect(take()).rejects.toThrow(
    /data is in use by another npm start, process \d+ on \S+; set DATA_DIR to run a second one$/,
  )
  await first[Symbol.asyncDispose]()
  await using _second = await take()
  expect(said).toEqual([])
})

test('O1: a start waits for one that is still ending', async () => {
  const ended = await owner()
  ended.kill('SIGKILL')
  await ended.exited
  // Like a process whose last thread waits for the disk: it holds the lock and does not answer.
  const dying = await startChild({
    name: 'flock',
    command: 'flock',
    args: [lockFile(), '-c', 'echo locked; sleep 0.6'],
  })
  await dying.line(/^locked$/, 5_000)
  await using _next = await take()
  expect(await dying.exited).toMatchObject({ code: 0 })
})

test('O1: a halted start keeps the folder, and a killed one frees it at once', async () => {
  const child = await owner()
  child.kill('SIGSTOP')
  await expect(take()).rejects.toThrow(`process ${child.pid} on`)
  child.kill('SIGKILL')
  await child.exited
  await using _it = await take({ silenceMs: 600_000 })
  expect(said).toEqual([])
})

test('O2: a start on another machine keeps the folder while its counter changes', async () => {
  await (await take())[Symbol.asyncDispose]()
  await writeFile(lockFile(), foreign)
  let count = 0
  const counting = setInterval(() => void writeFile(beatFile(), `other ${++count}\n`), 20)
  try {
    await expect(take({ silenceMs: 60_000 })).rejects.toThrow(
      'data is in use by another npm start, process 7 on elsewhere',
    )
  } finally {
    clearInterval(counting)
  }
  expect(await readFile(lockFile(), 'utf8')).toBe(foreign)
})

test('O2: a start on another machine loses the folder when its counter has stopped for long enough', async () => {
  await (await take())[Symbol.asyncDispose]()
  await writeFile(lockFile(), foreign)
  await writeFile(beatFile(), 'other 3\n')
  const since = performance.now()
  await using _it = await take()
  expect(performance.now() - since).toBeGreaterThanOrEqual(400)
  expect(said).toEqual([
    `${path} was not closed by another npm start, process 7 on elsewhere: watching for 0.4 s whether it still runs.`,
  ])
})

test('O2: a signal ends the watch', async () => {
  await (await take())[Symbol.asyncDispose]()
  await writeFile(lockFile(), foreign)
  const stopping = new AbortController()
  const taking = take({ silenceMs: 600_000, signal: stopping.signal })
  await vi.waitUntil(() => said.length > 0)
  stopping.abort()
  await expect(taking).rejects.toThrow()
  expect(await readFile(lockFile(), 'utf8')).toBe(foreign)
})

test('O2: an owner increments its counter as long as it has the folder', async () => {
  await using _it = await take()
  const counts = new Set<string>()
  await vi.waitUntil(async () => counts.add(await readFile(beatFile(), 'utf8').catch(() => '')).size > 3)
})

test('O4: a normal end empties start.lock, and a kill does not', async () => {
  await (await take())[Symbol.asyncDispose]()
  expect(await readFile(lockFile(), 'utf8')).toBe('')
  const child = await owner()
  child.kill('SIGKILL')
  await child.exited
  expect(JSON.parse(await readFile(lockFile(), 'utf8'))).toMatchObject({ pid: child.pid })
})

test.each([
  [
    'was taken',
    () => writeFile(lockFile(), foreign),
    'it was taken by another npm start, process 7 on elsewhere',
  ],
  ['was removed', () => rename(path, `${path}-removed`), 'its start.lock was removed or emptied'],
  ['was opened to others', () => writeFile(lockFile(), ''), 'its start.lock was removed or emptied'],
])('O3: an owner notices that the folder %s, and stops writing to it', async (_name, lose, reason) => {
  const it = await take()
  await lose()
  await vi.waitUntil(() => lost.length > 0)
  const files = () =>
    Promise.all([lockFile(), beatFile()].map((file) => readFile(file, 'utf8').catch(() => '')))
  const before = await files()
  await sleep(100)
  await it[Symbol.asyncDispose]()
  expect(await files()).toEqual(before)
  expect(lost).toEqual([reason])
})

test('only its user can list the folder, whatever the umask', async () => {
  const before = process.umask(0o000)
  try {
    await using _it = await take()
    expect((await stat(path)).mode & 0o777).toBe(process.getuid?.() === 0 ? 0o711 : 0o700)
    expect((await stat(lockFile())).mode & 0o777).toBe(0o600)
  } finally {
    process.umask(before)
  }
})
