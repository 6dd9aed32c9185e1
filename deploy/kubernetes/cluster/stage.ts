/** All scenes share a stage: the cluster with the system in it, callers at their places, and the table of results. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { sources } from './cache.ts'
import type { Cluster } from './cluster.ts'
import { run } from './commands.ts'
import type { Address, Addresses, Crowd, Tally } from './customers.ts'
import { clusterImage } from './images.ts'

export type Scene = {
  /** For `--only`. */
  name: string
  /** As the requirements of the system name it. */
  heading: string
  play(stage: Stage): Promise<void>
}

export type Row = { scene: string; what: string; measured: string; wanted: string; holds: boolean }

export const namespace = 'bookreservation'
const ports = { reservation: 8081, stock: 8082, web: 8080 }

export class Stage {
  readonly cluster: Cluster
  /** The program. */
  readonly k6: string
  /** The folder of its manifests. */
  readonly keda: string
  readonly rows: Row[] = []
  scene = ''
  #crowds = 0

  constructor(cluster: Cluster, programs: { k6: string; keda: string }) {
    this.cluster = cluster
    this.k6 = programs.k6
    this.keda = programs.keda
  }

  /** In the namespace of the system. */
  kubectl(...args: string[]): Promise<string> {
    return this.cluster.kubectl('-n', namespace, ...args)
  }

  /** The same with input. */
  pipe(input: string, ...args: string[]): Promise<string> {
    const { env, bin } = this.cluster
    return run(join(bin, 'kubectl'), ['-n', namespace, ...args], { env, input })
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
   * Pods that only wait, in namespaces of their own: one where an ingress controller would be, and one that no policy knows. Calls are
   * made in their networks.
   */
  async placeCallers(): Promise<void> {
    const labels = { 'bookreservation.example/ingress': 'true' }
    await this.cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ingress', labels } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'stranger' } },
      ...['ingress', 'stranger'].map((name) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'caller', namespace: name },
        spec: {
          nodeName: 'n1',
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'caller', image: clusterImage, imagePullPolicy: 'Never' }],
        },
      })),
    )
    for (const name of ['ingress', 'stranger'])
      await this.cluster.kubectl('-n', name, 'wait', '--for=condition=ready', 'pod/caller', '--timeout=60s')
  }

  /** Of its Service. */
  async addressOf(service: keyof Addresses): Promise<Address> {
    const host = await this.kubectl('get', 'service', service, '-o', 'jsonpath={.spec.clusterIP}')
    return { host, port: ports[service] }
  }

  /** One call with curl. @returns the status, 0 if there was no answer, and the body. */
  async call(
    from: 'ingress' | 'stranger',
    service: keyof Addresses,
    path: string,
    {
      body,
      headers = {},
      seconds = 10,
    }: { body?: object; headers?: Record<string, string>; seconds?: number } = {},
  ): Promise<{ status: number; body: string }> {
    const { host, port } = await this.addressOf(service)
    const [command, ...rest] = await this.cluster.inNetworkOf(from, 'caller')
    const given = { ...headers, ...(body && { 'content-type': 'application/json' }) }
    const options = [
      ...Object.entries(given).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
      ...(body ? ['-d', JSON.stringify(body)] : []),
    ]
    const url = `http://${host}:${port}${path}`
    const args = [...rest, 'curl', '-sS', '-m', String(seconds), '-w', '\n%{http_code}', ...options, url]
    const out = await run(command, args).catch(() => '\n0')
    const end = out.lastIndexOf('\n')
    return { status: Number(out.slice(end + 1)), body: out.slice(0, end) }
  }

  /** Forty books with more copies than any scene takes. */
  async stockBooks(): Promise<string[]> {
    const books = Array.from({ length: 40 }, (_, i) => `shelf-${i}`)
    for (const bookid of books)
      await this.call('ingress', 'stock', '/stocks', { body: { bookid, qty: 1_000_000, title: bookid } })
    return books
  }

  /** Customers who come through the ingress controller. @returns a function that sends them home, and returns their tally. */
  async customers(books: string[], clients = 1): Promise<() => Promise<Tally>> {
    const at = {
      reservation: await this.addressOf('reservation'),
      stock: await this.addressOf('stock'),
      web: await this.addressOf('web'),
    }
    const [command, ...rest] = await this.cluster.inNetworkOf('ingress', 'caller')
    const asked: Crowd = { at, books, name: `crowd-${++this.#crowds}`, clients }
    const program = [process.execPath, join(sources, 'customers.ts'), JSON.stringify(asked)]
    const child = spawn(command, [...rest, ...program], { stdio: ['pipe', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    return async () => {
      child.stdin.end()
      const code = await ended
      if (code !== 0) throw new Error(`The customers ended with ${code}`)
      return JSON.parse(out) as Tally
    }
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
