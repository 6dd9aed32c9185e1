/** The folder that a running system has for itself. */
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { commandLine } from './orphan.ts'

/** Part of the command line of every process that takes a data folder. */
const mark = 'deploy/local/start.ts'

export type DataFolder = { path: string; [Symbol.asyncDispose](): Promise<void> }

/** @throws {Error} when the folder cannot be written to, or another start has it. */
export async function takeDataFolder(path: string): Promise<DataFolder> {
  const lock = join(path, 'start.pid')
  try {
    await makeFolder(path)
    while (!(await created(lock))) {
      const pid = Number.parseInt(await readFile(lock, 'utf8').catch(() => ''), 10)
      // A pid of a process that is gone, or that is another's by now, is what a killed start left.
      if (pid !== process.pid && (await commandLine(pid)).includes(mark)) throw new Taken(path, pid)
      await rm(lock, { force: true })
    }
  } catch (error) {
    if (error instanceof Taken) throw error
    throw new Error(`cannot write to ${path}: ${(error as Error).message}`)
  }
  return { path, [Symbol.asyncDispose]: () => rm(lock, { force: true }) }
}

/** Folder by folder: Node's recursive `mkdir` tries for ever where there can be none, as in `/proc`. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT') throw error
    await makeFolder(dirname(path))
    await mkdir(path)
  }
}

async function created(lock: string): Promise<boolean> {
  try {
    await using file = await open(lock, 'wx', 0o600)
    await file.write(String(process.pid))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

class Taken extends Error {
  constructor(path: string, pid: number) {
    super(`${path} is in use by process ${pid}, another npm start; set DATA_DIR to run a second one`)
  }
}
