/** The addresses of the running system, for other commands, in a file that only its user can read. */
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProcessName } from '../../../platform/config.ts'

export type Servers = { databaseUrl: string; redisUrl: string }
/** The services are there once all of them are ready. */
type RunningSystem = Servers & { services?: Partial<Record<ProcessName, string>> }

const name = 'running.json'

/** Disposing removes the file. */
export async function publish(dataDir: string, system: RunningSystem): Promise<AsyncDisposable> {
  const file = join(dataDir, name)
  await rm(file, { force: true })
  await writeFile(file, JSON.stringify(system), { mode: 0o600 })
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) }
}

export function runningSystem(dataDir: string): RunningSystem | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, name), 'utf8')) as RunningSystem
  } catch {
    return undefined
  }
}
