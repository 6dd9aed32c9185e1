/** The three services as pods of a rendered overlay, on the stores of the test. */
import { inject } from 'vitest'
import { type ServiceName, serviceNames } from '../../../../platform/config.ts'
import type { Audited } from '../../../../tests/harness/audit.ts'
import { Client } from '../../../../tests/harness/client.ts'
import { Contract } from '../../../../tests/harness/contract.ts'
import { withDatabase } from '../../../../tests/harness/database.ts'
import { type System, startSystem } from '../../../../tests/harness/system.ts'
import { find, type Manifest } from '../render.ts'
import { environmentOf } from '../rules/environment.ts'
import { mainOf } from '../rules/rule.ts'
import { Deployment } from './deployment.ts'
import { VirtualAddress } from './virtual-address.ts'

export class Cluster implements AsyncDisposable {
  readonly deployments: Record<ServiceName, Deployment>
  readonly addresses: Record<ServiceName, VirtualAddress>
  readonly #system: System

  private constructor(
    system: System,
    deployments: Record<ServiceName, Deployment>,
    addresses: Record<ServiceName, VirtualAddress>,
  ) {
    this.#system = system
    this.deployments = deployments
    this.addresses = addresses
  }

  /**
   * @param replicas the initial number of pods of each service.
   * @param secondMs how long a second of the manifests lasts in the test.
   */
  static async start(
    manifests: Manifest[],
    replicas: Record<ServiceName, number>,
    secondMs = 1_000,
  ): Promise<Cluster> {
    const [partitions] = serviceNames.map((service) => envOf(manifests, service).PARTITIONS)
    const system = await startSystem({ started: false, partitions: Number(partitions) })
    const deployments = perService((service) => {
      // The environment of the manifests, except for the addresses of the stores.
      const env = { ...envOf(manifests, service), ...storesOf(system) }
      return new Deployment({ manifest: find(manifests, 'Deployment', service), env, secondMs })
    })
    const addresses = perService((service) => VirtualAddress.of(deployments[service]))
    const cluster = new Cluster(system, deployments, await allOf(addresses))
    await Promise.all(serviceNames.map((service) => deployments[service].scale(replicas[service])))
    return cluster
  }

  /** Only for checks. */
  get sql() {
    return this.#system.sql
  }

  /** The settings that lead to its stores. */
  get stores() {
    return storesOf(this.#system)
  }

  get faults(): string[] {
    return serviceNames.flatMap((service) => this.deployments[service].faults)
  }

  /** The last log lines of every pod, for a failed test. */
  tail(): string {
    const pods = serviceNames.flatMap((service) => this.deployments[service].all)
    return pods.map((pod) => [`--- ${pod.name}`, ...pod.tail()].join('\n')).join('\n')
  }

  /** Clients of the services, through the addresses of their Services. */
  async faces(): Promise<Audited> {
    const client = async (service: ServiceName) => {
      const { url } = this.addresses[service]
      const [pod] = this.deployments[service].pods
      const contract = await Contract.read(`http://127.0.0.1:${pod!.opsPort}`)
      return new Client(
        () => url,
        () => contract,
      )
    }
    const clients = await allOf(perService(client))
    return { ...clients, sql: this.sql, processes: perService(() => [{ running: true }]) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(serviceNames.map((service) => this.deployments[service].vanish()))
    await Promise.all(serviceNames.map((service) => this.addresses[service][Symbol.asyncDispose]()))
    await this.#system.stop()
  }
}

const storesOf = ({ redisUrl, redisPrefix }: System) => ({
  DATABASE_URL: withDatabase(inject('postgresUrl'), redisPrefix),
  REDIS_URL: redisUrl,
  REDIS_PREFIX: redisPrefix,
})

const envOf = (manifests: Manifest[], service: ServiceName) =>
  environmentOf(manifests, mainOf(find(manifests, 'Deployment', service)))

const perService = <Value>(make: (service: ServiceName) => Value): Record<ServiceName, Value> => ({
  reservation: make('reservation'),
  stock: make('stock'),
  notifier: make('notifier'),
})

async function allOf<Value>(of: Record<ServiceName, Promise<Value>>): Promise<Record<ServiceName, Value>> {
  const [reservation, stock, notifier] = await Promise.all([of.reservation, of.stock, of.notifier])
  return { reservation, stock, notifier }
}
