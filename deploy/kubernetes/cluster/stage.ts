/** All scenes share a stage: the cluster with the system in it, callers at their places, and the table of results. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Answer, Call } from './callers/call.ts'
import type { Address, Addresses, Crowd, Tally } from './callers/customers.ts'
import { callerImage } from './images.ts'
import { type Kubernetes, stays } from './kubernetes.ts'

export type Scene = {
  /** For `--only`. */
  name: string
  /** As the requirements of the system name it. */
  heading: string
  /** A program that is built only for it. */
  needs?: keyof Extras
  play(stage: Stage): Promise<void>
}

export type Extras = {
  /** The program. */
  k6?: string | undefined
  /** The folder of its manifests. */
  keda?: string | undefined
  /** The folder of its program. */
  traefik?: string | undefined
}

export type Row = { scene: string; what: string; measured: string; wanted: string; holds: boolean }

export const namespace = 'bookreservation'
/** The books that customers reserve. */
export const books = Array.from({ length: 40 }, (_, i) => `shelf-${i}`)
const ports = { reservation: 8081, stock: 8082, web: 8080 }

export class Stage {
  readonly cluster: Kubernetes
  readonly #extras: Extras
  readonly rows: Row[] = []
  scene = ''
  #crowds = 0
  readonly #outside = new Set<ChildProcess>()
  readonly #hosts: Partial<Record<keyof Addresses, string>> = {}

  constructor(cluster: Kubernetes, extras: Extras) {
    this.cluster = cluster
    this.#extras = extras
  }

  /** @returns the path of what the scene needs. */
  extra(name: keyof Extras): string {
    return this.#extras[name]!
  }

  /** In the namespace of the system. */
  kubectl(...args: string[]): Promise<string> {
    return this.cluster.kubectl('-n', namespace, ...args)
  }

  /** The same with input. */
  pipe(input: string, ...args: string[]): Promise<string> {
    return this.cluster.pipe(input, '-n', namespace, ...args)
  }

  async json<Kind>(...args: string[]): Promise<Kind> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as Kind
  }

  /** Adds a row to the table. */
  check(what: string, measured: string | number, wanted: string, holds: boolean): void {
    const row = { scene: this.scene, what, measured: String(measured), wanted, holds }
    this.rows.push(row)
    console.log(`  ${holds ? '✔' : '✘'} ${what}: ${row.measured} (${wanted})`)
  }

  /** A row for a time. */
  took(what: string, since: number, maxSeconds: number): void {
    const seconds = (performance.now() - since) / 1000
    this.check(what, `${seconds.toFixed(1)} s`, `< ${maxSeconds} s`, seconds < maxSeconds)
  }

  /**
   * Pods that make calls, in namespaces of their own: one where an ingress controller would be, and one that no policy knows.
   */
  async placeCallers(): Promise<void> {
    const labels = { 'bookreservation.example/ingress': 'true' }
    await this.cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ingress', labels } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'stranger' } },
      // The crowd needs a share of its own, or it would hardly run beside busy pods. More would leave a node without room for the
      // pods of a rollout.
      ...Object.entries({ ingress: '300m', stranger: '50m' }).map(([name, cpu]) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'caller', namespace: name },
        spec: {
          nodeSelector: { [stays]: 'true' },
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'caller',
              image: callerImage,
              imagePullPolicy: 'Never',
              resources: { requests: { cpu } },
            },
          ],
        },
      })),
    )
    for (const name of ['ingress', 'stranger'])
      await this.cluster.kubectl('-n', name, 'wait', '--for=condition=ready', 'pod/caller', '--timeout=60s')
  }

  /** Of its Service. */
  async addressOf(service: keyof Addresses): Promise<Address> {
    this.#hosts[service] ??= await this.kubectl(
      ...['get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}'],
    )
    return { host: this.#hosts[service], port: ports[service] }
  }

  /** One call. @returns the status, 0 if there was no answer, and the body. */
  async call(
    from: 'ingress' | 'stranger',
    to: keyof Addresses | Address,
    path: string,
    asked: Omit<Call, 'url'> = {},
  ): Promise<Answer> {
    const { host, port, name } = typeof to === 'string' ? await this.addressOf(to) : to
    const headers = { ...asked.headers, ...(name && { host: name }) }
    const call: Call = { url: `http://${host}:${port}${path}`, ...asked, headers }
    try {
      return JSON.parse(await this.cluster.kubectl(...inCaller(from, 'call.ts', call))) as Answer
    } catch {
      return { status: 0, body: '' }
    }
  }

  /**
   * Customers who come through the ingress controller. @returns a function that sends them home, and returns their tally.
   * @param clients per kind of request. @param least is how many requests they make, however slow the machine is.
   * @param to is where they find the services, if not at their own addresses.
   */
  async customers(clients = 1, least = 0, to?: Addresses): Promise<() => Promise<Tally>> {
    const at = to ?? {
      reservation: await this.addressOf('reservation'),
      stock: await this.addressOf('stock'),
      web: await this.addressOf('web'),
    }
    const asked: Crowd = { at, books, name: `crowd-${++this.#crowds}`, clients, least }
    const { program, args, env } = this.cluster.commandOf(...inCaller('ingress', 'customers.ts', asked))
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    this.#outside.add(child)
    child.once('close', () => this.#outside.delete(child))
    await Promise.race([once(child.stdout, 'data'), ended])
    return async () => {
      child.stdin.end()
      const code = await ended
      if (code !== 0) throw new Error(`The customers ended with ${code}`)
      return JSON.parse(out.split('\n')[1]!) as Tally
    }
  }

  /** Customers of a scene that failed. */
  sendHome(): void {
    for (const it of this.#outside) it.stdin?.end()
  }

  /** A row for the requests of customers. */
  checkTally({ asked, failed, failures }: Tally, least: number): void {
    for (const it of failures) console.log(`    ${it}`)
    this.check(
      'requests that failed',
      `${failed} of ${asked}`,
      `0 of at least ${least}`,
      failed === 0 && asked >= least,
    )
  }

  /** Reservations by their status, from Postgres. */
  async reservations(): Promise<Record<string, number>> {
    const rows = await this.sql('select status, count(*) from reservation.reservation group by 1')
    return Object.fromEntries(rows.map(([status, count]) => [status, Number(count)]))
  }

  async sql(query: string): Promise<string[][]> {
    const psql = ['psql', '--username=postgres', '--dbname=bookreservation', '-At', '-c', query]
    const out = await this.kubectl('exec', 'postgres-0', '--', ...psql)
    return out === '' ? [] : out.split('\n').map((line) => line.split('|'))
  }
}

const inCaller = (from: string, program: string, asked: object): string[] => [
  ...['-n', from, 'exec', '--stdin', 'caller', '--'],
  ...['node', `/app/deploy/kubernetes/cluster/callers/${program}`, JSON.stringify(asked)],
]

/** @returns the table as text. */
export function tableOf(rows: Row[]): string {
  const cells = [
    ['scene', 'what', 'measured', 'wanted', ''],
    ...rows.map((it) => [it.scene, it.what, it.measured, it.wanted, it.holds ? '✔' : '✘']),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
