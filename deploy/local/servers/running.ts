/** The addresses of the running system's servers, for other commands, in a file that only its user can read. */
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Servers = { databaseUrl: string; redisUrl: string }

const name = 'running.json'

/** Disposing removes the file. */
export async function publishServers(dataDir: string, servers: Servers): Promise<AsyncDisposable> {
  const file = join(dataDir, name)
  await rm(file, { force: true })
  await writeFile(file, JSON.stringify(servers), { mode: 0o600 })
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) }
}

export function runningServers(dataDir: string): Servers | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, name), 'utf8')) as Servers
  } catch {
    return undefined
  }
}
