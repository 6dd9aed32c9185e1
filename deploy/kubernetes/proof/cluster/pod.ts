/**
 * One pod as a kubelet runs it, by its manifest alone: init containers one after the other, then the container, started by
 * the image's entrypoint and the manifest's arguments; probes with their periods, timeouts and thresholds; and an end by
 * preStop, SIGTERM, and SIGKILL when the grace period is over.
 *
 * Unlike in a cluster all pods share one address, so each has a port of its own. Limits and volumes are not there.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { type Child, describe, startChild } from '../../../local/child.ts'
import { freePort } from '../../../local/free-port.ts'
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
  /** What its containers find in their environment. */
  env: Record<string, string>
  /** Whether what its init containers wait for is there already: they are left out. */
  prepared?: boolean
  /** How long a second of the manifest lasts here, milliseconds: 1,000 unless a test is in a hurry. */
  secondMs?: number
}

/** The image's ENTRYPOINT: the runtime with its flags. */
const entrypoint = runtimeCommand('node')

export class Pod {
  readonly name: string
  readonly port: number
  /** Of probes, metrics and docs. */
  readonly opsPort: number
  /** What no pod should do: end by itself, not end when it is told to. */
  readonly faults: string[] = []
  /** How often its container was started anew. */
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

  /** Resolves when its init containers have done their work and its container runs. */
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

  /** The newest lines of its log. */
  tail(): string[] {
    return this.#child?.tail() ?? []
  }

  /** Whether it is an endpoint of its Service. A pod that goes is none from the first moment. */
  get ready(): boolean {
    return this.#ready && !this.#terminating
  }

  async untilReady(): Promise<void> {
    while (!this.#ready) await once(this.#events, 'changed')
  }

  /** Resolves when its container has ended and is started anew, the next time that it does. */
  async restarted(): Promise<void> {
    for (const before = this.restarts; this.restarts === before; ) await once(this.#events, 'changed')
  }

  /** As when it is deleted. Resolves when its process is gone. */
  async terminate(): Promise<void> {
    this.#terminating = true
    this.#changed()
    const grace = this.#spec.terminationGracePeriodSeconds
    if (await this.#kill(grace)) this.faults.push(`${this.name} did not stop within ${grace} s`)
  }

  /** Gone at once, as when its node fails. */
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

  /** Readiness and life are of interest once it has started. */
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
      const asked = performance.now()
      const port = httpGet.port === 'ops' ? this.opsPort : this.port
      const ok = await answers(`http://127.0.0.1:${port}${httpGet.path}`, timeoutSeconds * secondMs)
      if (signal.aborted) return
      failures = ok ? 0 : failures + 1
      if (ok) on.succeeded()
      else if (failures === failureThreshold) on.failed()
      const rest = periodSeconds * secondMs - (performance.now() - asked)
      await delay(Math.max(0, rest), undefined, { signal }).catch(() => {})
    }
  }

  /** @returns whether it had to be killed, since it did not stop within its grace period. */
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

  /** Its time is part of the grace period, and it ends with that. */
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
