/**
 * The life of a process.
 *
 * Starting: read the configuration, build the parts, listen, log it. Serving: until a signal arrives or a loop
 * ends. Stopping happens in this order; each step needs the one before:
 *
 *   S1. `stopping` is aborted: `/readyz` fails and event streams end; requests are still served for `drainMs`, until
 *       load balancers have noticed.
 *   S2. No new connection is accepted; requests in flight finish. The loops still run, because requests wait for
 *       them.
 *   S3. `signal` is aborted: every loop finishes its current batch, releases its leases and resolves.
 *   S4. `close()` closes the stores, and the process exits. The port for probes and metrics closes right before.
 *
 * All of it takes at most `drainMs + stopLimitMs`. After that, or on a second signal, the process is killed. That is
 * safe at any moment: uncommitted work is done again by the next owner.
 */
import { setTimeout } from 'node:timers/promises'
import type { Pulse } from '../streams/pulse.ts'
import { SetupError } from '../streams/setup.ts'
import { type Config, ConfigError, type ProcessName } from './config.ts'
import { tuneHeap } from './heap.ts'
import type { App } from './http/app.ts'
import { mountProbes } from './http/health.ts'
import { Liveness } from './http/liveness.ts'
import { createOps } from './http/ops.ts'
import { type Listener, PortInUse, serve } from './http/serve.ts'
import { createLog, type Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'

/** Time for stopping, not counting the drain (`DRAIN_MS`, 1 s by default). */
export const stopLimitMs = 9_000
/** How long requests in flight may take while stopping. */
const graceMs = 5_000
/** Between the last step and the exit of the process. */
const emptyLimitMs = 1_000
const echoMs = 1_000
/** For probes, Prometheus and readers of the docs. */
const opsConnectionsMax = 200
const opsGraceMs = 500

/** The settings that every process has. */
type ProcessConfig = Pick<
  Config,
  'host' | 'port' | 'opsPort' | 'publicUrl' | 'drainMs' | 'loopLimitMs' | 'logLevel' | 'revision'
>

/** The inputs of a process. */
export type Given<Settings extends ProcessConfig = ProcessConfig> = {
  config: Settings
  log: Log
  metrics: Metrics
  /** Aborted first: long answers (Server-Sent Events, waits) end. */
  stopping: AbortSignal
  /** Aborted once no request is left: the loops stop. */
  signal: AbortSignal
}

/** The parts that a process runs. */
export type Parts = {
  app: App
  /** The app whose reference `/docs` shows, if there is one. */
  documented?: App
  /** Every loop that runs at present, for `/livez`. */
  pulses(): Pulse[]
  /** Rejects when the process cannot serve, for `/readyz`. */
  ready(): Promise<unknown>
  /** Rejects when a store does not answer a new connection. Called only while a loop fails. */
  reach(): Promise<unknown>
  /** Each resolves after `signal` is aborted. A loop that rejects, or resolves before, ends the process. */
  loops: Promise<void>[]
  /** Closes the stores, once the loops are done. */
  close(): Promise<void>
}

/**
 * Runs a process until it is stopped. Sets `process.exitCode`; never rejects.
 * @param read reads the settings. Throws a `ConfigError`.
 */
export async function runProcess<Settings extends ProcessConfig>(
  name: ProcessName,
  read: () => Settings,
  build: (given: Given<Settings>) => Promise<Parts>,
): Promise<void> {
  const config = readConfig(read)
  if (config === undefined) return
  const metrics = createMetrics(name, config.revision)
  const log = createLog(name, config.logLevel, (level) => metrics.linesDropped(level).inc())
  const life = new Life(log, config.drainMs)
  try {
    await live({ config, log, metrics }, life, build)
    log.info('stopped')
  } catch (error) {
    life.fail(error, 'cannot run')
  } finally {
    life.end()
  }
}

async function live<Settings extends ProcessConfig>(
  given: Pick<Given<Settings>, 'config' | 'log' | 'metrics'>,
  life: Life,
  build: (given: Given<Settings>) => Promise<Parts>,
): Promise<void> {
  const { config, log, metrics } = given
  const { stopping, signal } = life
  const parts = await build({ ...given, stopping, signal })
  tuneHeap()
  let opsListener: Listener | undefined
  try {
    const { loopLimitMs, host, port, opsPort, publicUrl } = config
    const liveness = new Liveness({ pulses: () => parts.pulses(), loopLimitMs, reach: () => parts.reach() })
    parts.loops.push(liveness.run(signal))
    for (const loop of parts.loops) life.watch(loop)
    const probes = { liveness, ready: () => parts.ready(), stopping }
    mountProbes(parts.app, probes)
    const listener = await serve(parts.app, { host, port, publicUrl, signal: stopping })
    const { about } = parts.app
    const docs = parts.documented && { app: parts.documented, port: listener.port }
    const ops = createOps({ about, docs, log, metrics, ...probes })
    opsListener = await serve(ops, {
      host,
      port: opsPort,
      setting: 'OPS_PORT',
      signal: stopping,
      publicUrl,
      connections: opsConnectionsMax,
    })
    log.info({ port: listener.port, opsPort: opsListener.port, pid: process.pid }, 'listening')
    await life.untilStopping()
    await life.drain()
    await listener.close(graceMs)
  } finally {
    life.stopLoops()
    await Promise.allSettled(parts.loops)
    // Probes can follow the shutdown until here.
    await opsListener?.close(opsGraceMs)
    await parts.close()
  }
}

function readConfig<Settings>(read: () => Settings): Settings | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const fault of error.faults) console.error(fault)
    process.exitCode = 1
    return undefined
  }
}

/** Decides when a process stops, and makes sure that it does. */
class Life {
  readonly #log: Log
  readonly #drainMs: number
  readonly #stopping = new AbortController()
  readonly #loops = new AbortController()
  #stoppingSince = 0
  #failed = false

  constructor(log: Log, drainMs: number) {
    this.#log = log
    this.#drainMs = drainMs
    process.on('SIGTERM', this.#onSignal).on('SIGINT', this.#onSignal)
    process.on('uncaughtException', this.#onCrash).on('unhandledRejection', this.#onCrash)
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  get signal(): AbortSignal {
    return this.#loops.signal
  }

  /** Ends the process when the loop does so on its own. */
  watch(loop: Promise<void>): void {
    const ended = () => {
      if (!this.signal.aborted)
        this.fail(new Error('It ended before the service was stopped'), 'a loop ended')
    }
    loop.then(ended, (error) => this.fail(error, 'a loop failed'))
  }

  async untilStopping(): Promise<void> {
    if (this.stopping.aborted) return
    await new Promise((resolve) => this.stopping.addEventListener('abort', resolve, { once: true }))
  }

  /** S1. A process that failed does not linger. */
  async drain(): Promise<void> {
    if (!this.#failed) await setTimeout(this.#drainMs)
  }

  stopLoops(): void {
    this.#loops.abort()
  }

  /** Stops the process, with a non-zero exit code. */
  fail(error: unknown, what: string): void {
    this.#failed = true
    process.exitCode = 1
    // A fault that the operator must fix is one line; a stack trace would not help.
    if (error instanceof SetupError || error instanceof PortInUse) this.#log.fatal(error.message)
    else this.#log.fatal({ err: error }, what)
    this.#stop()
  }

  /** Lets the process exit by itself. Anything that still keeps it alive is a leak. */
  end(): void {
    this.#stop()
    this.#limit(emptyLimitMs)
    process.off('SIGTERM', this.#onSignal).off('SIGINT', this.#onSignal)
  }

  #stop(): void {
    if (this.stopping.aborted) return
    this.#stoppingSince = performance.now()
    this.#stopping.abort()
    this.#limit(this.#drainMs + stopLimitMs)
  }

  /** Unref'd: fires only if something else keeps the process alive. */
  #limit(limitMs: number): void {
    globalThis.setTimeout(() => this.#force(`not ended after ${limitMs} ms`), limitMs).unref()
  }

  /** Ctrl-C reaches a process from the terminal and again from its parent, so an immediate second signal is an echo. */
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    if (!this.stopping.aborted) {
      this.#log.info({ signal }, 'stopping')
      this.#stop()
    } else if (performance.now() - this.#stoppingSince > echoMs) {
      this.#force(`${signal} again`)
    }
  }

  /** After an uncaught error the state of this process cannot be trusted. */
  readonly #onCrash = (error: unknown): void => {
    this.#log.fatal({ err: error }, 'uncaught error')
    process.exit(1)
  }

  #force(reason: string): void {
    this.#log.error({ reason }, 'ended by force')
    process.exit(1)
  }
}
