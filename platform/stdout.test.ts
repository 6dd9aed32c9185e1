/** Log lines of real processes on both runtimes, to every kind of standard output, read or not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runtimeCommand } from '../deploy/local/service.ts'
import { eventually } from '../tests/doubles/eventually.ts'
import { root } from '../tests/harness/service-process.ts'
import { type Act, floodLines, type Report } from '../tests/harness/speaker-acts.ts'
import { lastWordsMs } from './log-buffer.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bookreservation-stdout-'))
})
afterAll(() => rm(dir, { recursive: true }))

/** `script` of util-linux gives a process a terminal and passes its output on. */
const hasTerminals = process.platform === 'linux' && existsSync('/usr/bin/script')
const runtimes = ['node', 'deno'] as const
const kinds = ['a socket', 'a pipe', 'a file', ...(hasTerminals ? ['a terminal' as const] : [])] as const
type Kind = (typeof kinds)[number]
type Command = [string, ...string[]]

/** @returns a command that runs it with this kind of output and copies everything to its own standard output. */
function writingTo(kind: Kind, command: Command): Command {
  const quoted = command.map((it) => `'${it}'`).join(' ')
  if (kind === 'a pipe') return ['/bin/sh', '-c', `${quoted} | cat`]
  if (kind === 'a file') return ['/bin/sh', '-c', `${quoted} >"${dir}/$$"; cat "${dir}/$$"`]
  if (kind === 'a terminal') return ['script', '-qefc', quoted, '/dev/null']
  // Node creates sockets for its children.
  return command
}

class Speaker {
  readonly #child: ChildProcess
  readonly #report: string

  constructor(runtime: 'node' | 'deno', kind: Kind, act: Act) {
    this.#report = join(dir, `${runtime} ${kind} ${act}.json`)
    const flags = runtime === 'deno' ? [`--allow-write=${dir}`] : []
    const [program, ...args] = writingTo(kind, [
      ...runtimeCommand(runtime),
      ...flags,
      join(root, 'tests/harness/speaker.ts'),
      act,
      this.#report,
    ])
    this.#child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  }

  /** Everything that it has yet to write. */
  read(): Promise<string> {
    return text(this.#child.stdout as Readable)
  }

  /** Its own report after its end, which needs no reader. */
  async report(): Promise<Report> {
    return await eventually(async () => JSON.parse(await readFile(this.#report, 'utf8')) as Report, {
      timeoutMs: 15_000,
      message: 'The process does not exit',
    })
  }

  async flooded(): Promise<void> {
    await eventually(() => existsSync(`${this.#report}.flooded`), {
      timeoutMs: 15_000,
      message: 'The process hangs',
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    this.#child.stdout!.destroy()
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}

/** A socket behaves like a pipe, so with a reader one of them is enough. */
const readKinds = kinds.filter((it) => it !== 'a socket')

describe.concurrent.each(runtimes)('on %s', (runtime) => {
  test.each(readKinds)('the lines of a process that exits normally reach %s, in order', async (kind) => {
    await using speaker = new Speaker(runtime, kind, 'end')
    expect((await speaker.read()).match(/(?<=한 줄 )\d/g)).toEqual(['0', '1', '2', '3', '4'])
  })

  test.each(readKinds)(
    'the last lines of a process that crashes reach %s, followed by the error',
    async (kind) => {
      await using speaker = new Speaker(runtime, kind, 'crash')
      expect(
        (await speaker.read()).match(/the last but one|the last|uncaught error|boom/g)!.slice(0, 4),
      ).toEqual(
        kind === 'a terminal'
          ? ['the last but one', 'the last', 'uncaught error', 'boom']
          : ['the last but one', 'the last', 'boom', 'boom'],
      )
    },
  )

  // Deno treats a socket like a pipe.
  const read = kinds.filter((it) => it !== 'a file' && (it !== 'a socket' || runtime === 'node'))

  test.each(read)('B1: a process goes on, and exits, without a reader of %s', async (kind) => {
    await using speaker = new Speaker(runtime, kind, 'flood')
    const { latestMs, dropped, exitMs } = await speaker.report()
    expect(latestMs).toBeLessThan(1_000)
    expect(exitMs).toBeLessThan(lastWordsMs + 500)
    expect(dropped.info).toBeGreaterThan(0)
    expect(dropped.warn ?? dropped.error ?? dropped.fatal).toBeUndefined()
  })

  test.each(read)(
    'a reader of %s that comes back gets lines in order, and the number of dropped ones',
    async (kind) => {
      await using speaker = new Speaker(runtime, kind, 'flood and wait')
      await speaker.flooded()
      const shown = await speaker.read()
      const { dropped } = await speaker.report()
      const numbers = Array.from(shown.matchAll(/(?<= number )\d+/g), Number)
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      expect(numbers.length).toBe(floodLines - dropped.info!)
      expect(numbers.at(-1)).toBe(floodLines - 1)
      expect(shown).toContain('watch out')
      const missed = Array.from(shown.matchAll(/log lines dropped.*/g)).length
      expect(missed).toBeGreaterThan(0)
      const reported = Array.from(shown.matchAll(/"?info"?(?:\S\[39m)?: (\d+)|"info":(\d+)/g), ([, a, b]) =>
        Number(a ?? b),
      )
      expect(reported.reduce((sum, it) => sum + it, 0)).toBe(dropped.info)
    },
  )

  test('no line to a file is dropped, however many come at once', async () => {
    await using speaker = new Speaker(runtime, 'a file', 'flood')
    const [shown, { dropped }] = await Promise.all([speaker.read(), speaker.report()])
    expect(dropped).toEqual({})
    expect(shown.match(/ number \d+/g)).toHaveLength(floodLines)
  })
})
