/** A store for one test, which the test can stop, start and empty. */
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startPostgres } from '../../deploy/local/servers/postgres.ts'
import { startRedis } from '../../deploy/local/servers/redis.ts'
import { range } from './eventually.ts'
import { startRedisCluster } from './redis-cluster.ts'
import { copyData, copyEmptyPostgres, storeFolder } from './store-folder.ts'

type Running = {
  url: string
  stop(): Promise<void>
  kill?(signal: NodeJS.Signals): void
  exited?: Promise<unknown>
}

export class OwnServer implements AsyncDisposable {
  readonly url: string
  readonly #dir: string
  readonly #launch: (port: number) => Promise<Running>
  /** Whether the folder is deleted with the server. */
  readonly #temporary: boolean
  #running: Running | undefined

  private constructor(
    dir: string,
    launch: (port: number) => Promise<Running>,
    running: Running,
    temporary: boolean,
  ) {
    this.#dir = dir
    this.#temporary = temporary
    this.#launch = launch
    this.#watch(running)
    this.url = running.url
  }

  /**
   * Durable, as in production: confirmed data survives `stop` and `start`.
   * @param dir folder for the data, which is not deleted.
   * @param env additional environment variables.
   */
  static postgres = (dir?: string, env?: Record<string, string>) =>
    OwnServer.#make(
      'postgres',
      async (dir, port) => {
        const dataDir = join(dir, 'data')
        await copyEmptyPostgres(dataDir)
        return await startPostgres({ dataDir, port, env })
      },
      dir,
    )

  static redis = (dir?: string) =>
    OwnServer.#make('redis', (dir, port) => startRedis({ dataDir: dir, port }), dir)

  /** A cluster of three masters. */
  static redisCluster = () =>
    OwnServer.#make('cluster', (dir) =>
      startRedisCluster({ dirs: range(3).map((node) => join(dir, String(node))) }),
    )

  /** Stops the server; its data stays. */
  async stop(): Promise<void> {
    await this.#running?.stop()
    this.#running = undefined
  }

  /** Kills the server in the middle of its work. Durable data stays. */
  async crash(): Promise<void> {
    this.signal('SIGKILL')
    await this.#running?.exited
    this.#running = undefined
  }

  /** Whether it is running. */
  get running(): boolean {
    return this.#running !== undefined
  }

  /** Sends a signal to the server's main process. */
  signal(signal: NodeJS.Signals): void {
    this.#running?.kill?.(signal)
  }

  /** Copies the data, for `restoreCopy`. Only while the server is stopped. */
  async keepCopy(): Promise<void> {
    await copyData(this.#dir, this.#copy)
  }

  /** Restores the data that `keepCopy` copied. Only while the server is stopped. */
  async restoreCopy(): Promise<void> {
    await rm(this.#dir, { recursive: true })
    await rename(this.#copy, this.#dir)
  }

  get #copy(): string {
    return `${this.#dir}-copy`
  }

  /** Starts it again, with its data and address. */
  async start(): Promise<void> {
    this.#watch(await this.#launch(Number(new URL(this.url).port)))
  }

  #watch(running: Running): void {
    this.#running = running
    running.exited?.then(() => {
      if (this.#running === running) this.#running = undefined
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    if (!this.#temporary) return
    for (const dir of [this.#dir, this.#copy]) await rm(dir, { recursive: true, force: true })
  }

  static async #make(
    name: string,
    launch: (dir: string, port: number) => Promise<Running>,
    given?: string,
  ): Promise<OwnServer> {
    const dir = given ?? (await storeFolder(name))
    const running = await launch(dir, 0)
    return new OwnServer(dir, (port) => launch(dir, port), running, given === undefined)
  }
}
