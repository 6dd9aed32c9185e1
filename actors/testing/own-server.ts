/** A store of a test's own, for the test to stop, start and empty as it likes. */
import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startPostgres } from '../../deploy/local/servers/postgres.ts'
import { startRedis } from '../../deploy/local/servers/redis.ts'
import { startRedisCluster } from '../../deploy/local/servers/redis-cluster.ts'
import { range } from './eventually.ts'

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
  /** Whether the folder goes when the server does. */
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
   * Durable, as in production: what it confirmed it still has after `stop` and `start`.
   * @param dir to keep the data in, and to leave it there.
   * @param env beside what it has.
   */
  static postgres = (dir?: string, env?: Record<string, string>) =>
    OwnServer.#make('postgres', (dir, port) => startPostgres({ dataDir: join(dir, 'data'), port, env }), dir)

  static redis = (dir?: string) =>
    OwnServer.#make('redis', (dir, port) => startRedis({ dataDir: dir, port }), dir)

  /** Three masters. */
  static redisCluster = () =>
    OwnServer.#make('cluster', (dir) =>
      startRedisCluster({ dirs: range(3).map((node) => join(dir, String(node))) }),
    )

  /** Stops the server; its data stays. */
  async stop(): Promise<void> {
    await this.#running?.stop()
    this.#running = undefined
  }

  /** Kills the server in the middle of whatever it does. Of its data it keeps what it promised to keep. */
  async crash(): Promise<void> {
    this.signal('SIGKILL')
    await this.#running?.exited
    this.#running = undefined
  }

  /** Whether it has not ended, by itself or by being told. */
  get running(): boolean {
    return this.#running !== undefined
  }

  /** Sends the server's main process a signal, whatever comes of it. */
  signal(signal: NodeJS.Signals): void {
    this.#running?.kill?.(signal)
  }

  /** Keeps the data as it is now, for `start` to begin with later. Only while the server is stopped. */
  async keepCopy(): Promise<void> {
    // With owners and modes: Postgres takes no other files.
    await promisify(execFile)('cp', ['-a', this.#dir, this.#copy])
  }

  /** Puts the data back to what `keepCopy` kept. Only while the server is stopped. */
  async restoreCopy(): Promise<void> {
    await rm(this.#dir, { recursive: true })
    await rename(this.#copy, this.#dir)
  }

  get #copy(): string {
    return `${this.#dir}-copy`
  }

  /** Starts it again, with the data and at the address that it had. */
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
    const dir = given ?? (await mkdtemp(join(tmpdir(), `bookreservation-${name}-`)))
    // Passable for the user as whom Postgres runs when root tests.
    await chmod(dir, 0o711)
    const running = await launch(dir, 0)
    return new OwnServer(dir, (port) => launch(dir, port), running, given === undefined)
  }
}
