/** A Postgres and its standby, which has every change before the change is confirmed. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { startPostgres } from '../../deploy/local/servers/postgres.ts'
import type { Server } from '../../deploy/local/servers/server.ts'
import { copyData, storeFolder } from './store-folder.ts'

const name = 'standby'
const streaming = { wal_level: 'replica', max_wal_senders: 4 }

export class PostgresPair implements AsyncDisposable {
  readonly primary: Server
  readonly standby: Server
  readonly #dir: string

  private constructor(dir: string, primary: Server, standby: Server) {
    this.#dir = dir
    this.primary = primary
    this.standby = standby
  }

  static async start(): Promise<PostgresPair> {
    const dir = await storeFolder('pair')
    const [first, second] = [join(dir, 'primary'), join(dir, name)]
    const initial = await startPostgres({ dataDir: first, settings: streaming })
    await initial.stop()
    await copyData(first, second)
    await writeFile(join(second, 'cluster', 'standby.signal'), '')
    const primary = await startPostgres({
      dataDir: first,
      settings: { ...streaming, synchronous_standby_names: name },
    })
    const { username, password, hostname, port } = new URL(primary.url)
    const from = `host=${hostname} port=${port} user=${username} password=${password} application_name=${name}`
    const standby = await startPostgres({
      dataDir: second,
      settings: { ...streaming, primary_conninfo: from },
    })
    return new PostgresPair(dir, primary, standby)
  }

  /** Kills the primary, and makes the standby the new one. */
  async failOver(): Promise<void> {
    this.primary.kill('SIGKILL')
    await this.primary.exited
    const sql = postgres(this.standby.url, { max: 1 })
    await sql`select pg_promote()`
    await sql.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.primary.stop(), this.standby.stop()])
    await rm(this.#dir, { recursive: true, force: true })
  }
}
