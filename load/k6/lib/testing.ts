/**
 * A stand-in for k6, for tests: it runs the code of a script against a real system, one customer at a time. It has only the
 * parts of k6's modules that the scripts use; only k6 itself can show that the load is right.
 */
import { Worker } from 'node:worker_threads'

type Request = { method: string; url: string; body?: string; headers: Record<string, string> }
type Params = { tags: { name: string }; headers: Record<string, string> }

export type Response = {
  status: number
  body: string
  timings: { duration: number }
}

/** Requests of k6 are synchronous. Here another thread sends them while this one waits. */
class BlockingHttp implements Disposable {
  static readonly #bytesMax = 4 * 1024 * 1024
  readonly #shared = new SharedArrayBuffer(8 + BlockingHttp.#bytesMax)
  readonly #state = new Int32Array(this.#shared, 0, 2)
  readonly #worker = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads')
    const state = new Int32Array(workerData, 0, 2)
    const answer = async ({ url, ...init }) => {
      try {
        const response = await fetch(url, init)
        return { status: response.status, body: await response.text() }
      } catch (error) {
        return { status: 0, body: String(error.cause ?? error) }
      }
    }
    parentPort.on('message', async (requests) => {
      const bytes = new TextEncoder().encode(JSON.stringify(await Promise.all(requests.map(answer))))
      new Uint8Array(workerData, 8).set(bytes)
      state[1] = bytes.length
      Atomics.store(state, 0, 1)
      Atomics.notify(state, 0)
    })`,
    { eval: true, workerData: this.#shared },
  )

  /** @returns all answers. */
  send(requests: Request[]): Response[] {
    const startedAt = performance.now()
    Atomics.store(this.#state, 0, 0)
    this.#worker.postMessage(requests)
    if (Atomics.wait(this.#state, 0, 0, 20_000) === 'timed-out')
      throw new Error(`${requests[0]?.method} ${requests[0]?.url} got no answer`)
    const bytes = new Uint8Array(this.#shared, 8, this.#state[1]!).slice()
    const answers = JSON.parse(new TextDecoder().decode(bytes)) as { status: number; body: string }[]
    return answers.map((answer) => ({ ...answer, timings: { duration: performance.now() - startedAt } }))
  }

  [Symbol.dispose](): void {
    void this.#worker.terminate()
  }
}

/** The samples of the script's metrics. */
export class K6StandIn implements Disposable {
  readonly #http = new BlockingHttp()
  readonly values = new Map<string, number[]>()
  readonly failedChecks: string[] = []
  readonly requestNames = new Set<string>()
  iteration = 0
  progress = 0
  /** How long a second of the script's `sleep` lasts. */
  secondMs = 1_000
  readonly tags: Record<string, string> = {}

  /** The factories of its modules, for `vi.doMock`. */
  readonly modules = {
    k6: () => ({
      check: this.#check,
      sleep: (seconds: number) =>
        void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * this.secondMs),
    }),
    'k6/http': () => ({
      default: {
        request: (...request: Parameters<K6StandIn['request']>) => this.request(...request),
        batch: (requests: { method: string; url: string; body?: string; params: Params }[]) =>
          this.#http.send(requests.map((it) => this.#named(it.method, it.url, it.body, it.params))),
        expectedStatuses: (...statuses: number[]) => statuses,
        setResponseCallback: () => {},
      },
    }),
    'k6/metrics': () => ({ Counter: this.#metric(), Trend: this.#metric() }),
    'k6/execution': () => ({ default: { scenario: this.#scenario, vu: { metrics: { tags: this.tags } } } }),
  }

  request(method: string, url: string, body: string | undefined, params: Params): Response {
    return this.#http.send([this.#named(method, url, body, params)])[0]!
  }

  sum(metric: string): number {
    return (this.values.get(metric) ?? []).reduce((sum, value) => sum + value, 0)
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]()
  }

  get #scenario() {
    const at = () => ({ iteration: this.iteration, progress: this.progress })
    return {
      get iterationInTest() {
        return at().iteration
      },
      get progress() {
        return at().progress
      },
    }
  }

  #named(method: string, url: string, body: string | undefined, params: Params): Request {
    this.requestNames.add(params.tags.name)
    return { method, url, body, headers: params.headers }
  }

  readonly #check = <Value>(value: Value, claims: Record<string, (value: Value) => boolean>): boolean => {
    const failed = Object.entries(claims).filter(([, holds]) => !holds(value))
    this.failedChecks.push(...failed.map(([claim]) => `${claim}: ${JSON.stringify(value)}`))
    return failed.length === 0
  }

  #metric() {
    const { values } = this
    return class {
      readonly #values: number[] = []
      constructor(name: string) {
        values.set(name, this.#values)
      }
      add(value: number): void {
        this.#values.push(value)
      }
    }
  }
}
