import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LogSize } from './log-size.ts'

test('the newest append-only file is cut to its own earlier size, not to that of an older file', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'bookreservation-log-'))
  try {
    await mkdir(join(dataDir, 'appendonlydir'))
    const file = (number: number) => join(dataDir, `appendonlydir/appendonly.aof.${number}.incr.aof`)
    await writeFile(file(9), 'longer than the one that follows')
    using log = new LogSize(dataDir)
    await sleep(120)
    const before = performance.now()
    await writeFile(file(10), 'kept')
    await sleep(120)
    const at = performance.now()
    await appendFile(file(10), ' and not')
    await sleep(120)
    await expect(log.cutTo(before)).rejects.toThrow('it was replaced meanwhile')
    await log.cutTo(at)
    expect(await readFile(file(10), 'utf8')).toBe('kept')
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})
