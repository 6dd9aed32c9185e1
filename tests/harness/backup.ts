/** Restores databases of a test server from a backup. */
import postgres from 'postgres'
import { inject } from 'vitest'

/** Copies databases. There must be no connections to them. */
export class Backup implements AsyncDisposable {
  readonly #server: postgres.Sql
  readonly #names: string[]

  private constructor(server: postgres.Sql, names: string[]) {
    this.#server = server
    this.#names = names
  }

  static async of(...names: string[]): Promise<Backup> {
    const server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
    for (const name of names) {
      await disconnect(server, name)
      await server`create database ${server(copyOf(name))} template ${server(name)}`
    }
    return new Backup(server, names)
  }

  /** Restores these databases, or all of them. */
  async restore(...names: string[]): Promise<void> {
    for (const name of names.length > 0 ? names : this.#names) {
      await this.#server`drop database ${this.#server(name)} with (force)`
      await this.#server`create database ${this.#server(name)} template ${this.#server(copyOf(name))}`
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#names)
      await this.#server`drop database if exists ${this.#server(copyOf(name))} with (force)`
    await this.#server.end({ timeout: 1 })
  }
}

const copyOf = (name: string) => `${name}-backup`

const disconnect = (server: postgres.Sql, name: string) =>
  server`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
