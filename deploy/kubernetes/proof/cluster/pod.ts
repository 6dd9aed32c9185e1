/**
 * One pod as a kubelet runs it, only by its manifest: init containers one after the other, then the container with the image's
 * entrypoint and the manifest's arguments; probes with their periods, timeouts and thresholds; and an end by preStop, SIGTERM,
 * and SIGKILL after the grace period.
 *
 * Unlike in a cluster all pods share one address, so each has its own port. There are no limits and no volumes.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { type Child, describe, startChild } from '../../../local/processes/child.ts'
import { freePort } from '../../../local/processes/free-port.ts'
import { root } from '../../../local/root.ts'
import { compileCache, runtimeCommand } from '../../../local/service.ts'
import type { Manifest } from '../render.ts'
import { type Container, mainOf } from '../rules/rule.ts'

/** A probe of the manifest. */
type Probe = {
  httpGet: { path: string; port: string }
  periodSeconds: number
  timeoutSeconds: number
  failureThreshold: number
}

export type PodOptions = {
  name: string
  /** The Deployment. */
  manifest: Manifest
  /** The environment of its containers. */
  env: Record<string, string>
  /** Skips the init containers. */
  prepared?: boolean
  /** How long a second of the manifest lasts in the test, in milliseconds. Default: 1,000. */
  secondMs?: number
}

/** The image's ENTRYPOINT: the runtime with its flags. */
const entrypoint = runtimeCommand('node')

export class Pod {
  readonly name: string
  readonly port: number
  /** For probes, metrics and docs. */
  readonly opsPort: number
  /** Faults: it exited by itself, or did not stop in time. */
  readonly faults: string[] = []
  /** How often its container was restarted. */
  restarts = 0
  readonly #options: Required<PodOptions>
  readonly #events = new EventTarget()
  #child: Child | undefined
  #started = false
  #ready = false
  #killing: Promise<void> | undefined
  #terminating = false
  /** Aborted when the container ends, and its probes with it. */
  #watching = new AbortController()

  private constructor(options: PodOptions, port: number, opsPort: number) {
    this.name = options.name
    this.port = port
    this.opsPort = opsPort
    this.#options = { secondMs: 1_000, prepared: false, ...options }
  }

  /** Resolves when its init containers have finished and its container runs. */
  static async start(options: PodOptions): Promise<Pod> {
    const pod = new Pod(options, await freePort(), await freePort())
    if (!pod.#options.prepared)
      for (const container of pod.#spec.initContainers ?? []) await pod.#runToItsEnd(container)
    await pod.#run()
    return pod
  }

  get pid(): number {
    return this.#child!.pid
  }

  /** The last lines of its log. */
  tail(): string[] {
    return this.#child?.tail() ?? []
  }

  /** Whether it is an endpoint of its Service. A terminating pod is not. */
  get ready(): boolean {
    return this.#ready && !this.#terminating
  }

  async untilReady(): Promise<void> {
    while (!this.#ready) await once(this.#events, 'changed')
  }

  /** Resolves the next time that its container was restarted. */
  async restarted(): Promise<void> {
    for (const before = this.restarts; this.restarts === before; ) await once(this.#events, 'changed')
  }

  /** Like `kubectl delete`. Resolves when its process is gone. */
  async terminate(): Promise<void> {
    this.#terminating = true
    this.#changed()
    const grace = this.#spec.terminationGracePeriodSeconds
    if (await this.#kill(grace)) this.faults.push(`${this.name} did not stop within ${grace} s`)
  }

  /** Ends it at once, as when its node fails. */
  async vanish(): Promise<void> {
    this.#terminating = true
    this.#watching.abort()
    this.#child?.kill('SIGKILL')
    await this.#child?.exited
  }

  get #spec() {
    return this.#options.manifest.spec.template.spec
  }

  #changed(): void {
    this.#events.dispatchEvent(new Event('changed'))
  }

  #spawn(args: string[], command = entrypoint): Promise<Child> {
    const [program, ...flags] = command
    const { PATH, HOME } = process.env
    return startChild({
      name: this.name,
      command: program,
      args: [...flags, ...args],
      cwd: root,
      env: {
        ...{ PATH, HOME },
        ...compileCache,
        ...this.#options.env,
        HOST: '127.0.0.1',
        PORT: String(this.port),
        OPS_PORT: String(this.opsPort),
      },
    })
  }

  async #runToItsEnd({ name, args }: Container): Promise<void> {
    const child = await this.#spawn(args)
    const exit = await child.exited
    if (exit.code !== 0)
      throw new Error(`${this.name}: ${name} ended with ${describe(exit)}\n${child.tail().join('\n')}`)
  }

  async #run(): Promise<void> {
    const child = await this.#spawn(mainOf(this.#options.manifest).args)
    this.#child = child
    this.#started = false
    this.#watching = new AbortController()
    void this.#watch(this.#watching.signal)
    void child.exited.then((exit) => this.#ended(child, describe(exit)))
  }

  async #ended(child: Child, how: string): Promise<void> {
    this.#watching.abort()
    this.#ready = false
    this.#changed()
    if (this.#terminating) return
    if (!this.#killing)
      this.faults.push(`${this.name} ended by itself with ${how}: ${child.tail().join('\n')}`)
    this.restarts++
    await this.#run()
  }

  /** Readiness and liveness are probed once it has started. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = mainOf(this.#options.manifest)
    const live = livenessProbe.terminationGracePeriodSeconds ?? this.#spec.terminationGracePeriodSeconds
    await this.#probe(startupProbe, signal, {
      succeeded: () => {
        this.#started = true
      },
      failed: () => void this.#kill(live),
      until: () => this.#started,
    })
    if (!this.#started) return
    const setReady = (ready: boolean) => () => {
      this.#ready = ready
      this.#changed()
    }
    await Promise.all([
      this.#probe(readinessProbe, signal, { succeeded: setReady(true), failed: setReady(false) }),
      this.#probe(livenessProbe, signal, { succeeded() {}, failed: () => void this.#kill(live) }),
    ])
  }

  async #probe(
    { httpGet, periodSeconds, timeoutSeconds, failureThreshold }: Probe,
    signal: AbortSignal,
    on: { succeeded(): void; failed(): void; until?(): boolean },
  ): Promise<void> {
    const { secondMs } = this.#options
    for (let failures = 0; !signal.aborted && !on.until?.(); ) {
      const since = performance.now()
      const port = httpGet.port === 'ops' ? this.opsPort : this.port
      const ok = await answers(`http://127.0.0.1:${port}${httpGet.path}`, timeoutSeconds * secondMs)
      if (signal.aborted) return
      failures = ok ? 0 : failures + 1
      if (ok) on.succeeded()
      else if (failures === failureThreshold) on.failed()
      const rest = periodSeconds * secondMs - (performance.now() - since)
      await delay(Math.max(0, rest), undefined, { signal }).catch(() => {})
    }
  }

  /** @returns whether it had to be killed because it did not stop within its grace period. */
  async #kill(graceSeconds: number): Promise<boolean> {
    const child = this.#child!
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#killing = promise
    const over = new AbortController()
    let killed = false
    const timer = setTimeout(() => {
      killed = true
      over.abort()
      child.kill('SIGKILL')
    }, graceSeconds * this.#options.secondMs)
    await this.#preStop(over.signal)
    child.kill('SIGTERM')
    await child.exited
    clearTimeout(timer)
    resolve()
    this.#killing = undefined
    return killed
  }

  /** Its time is part of the grace period, and it is killed when that is over. */
  async #preStop(over: AbortSignal): Promise<void> {
    const command = mainOf(this.#options.manifest).lifecycle?.preStop?.exec?.command
    if (!command) return
    const hook = await this.#spawn([], command)
    over.addEventListener('abort', () => hook.kill('SIGKILL'), { once: true })
    const { code } = await hook.exited
    if (code !== 0 && !over.aborted)
      this.faults.push(`${this.name}: preStop failed: ${hook.tail().join('\n')}`)
  }
}

async function answers(url: string, timeoutMs: number): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
