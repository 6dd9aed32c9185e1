/** The pods of one Deployment, scaled and replaced as its manifest says. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Manifest } from '../render.ts'
import { Pod, type PodOptions } from './pod.ts'

const lookEveryMs = 50

export class Deployment {
  readonly name: string
  /** Every pod there ever was, so that no fault is lost. */
  readonly all: Pod[] = []
  readonly #options: Omit<PodOptions, 'name'>
  #pods: Pod[] = []
  #count = 0
  readonly #going: Promise<void>[] = []

  constructor(options: Omit<PodOptions, 'name'>) {
    this.#options = options
    this.name = options.manifest.metadata.name
  }

  /** Pods that are not terminating. */
  get pods(): readonly Pod[] {
    return this.#pods
  }

  get faults(): string[] {
    return this.all.flatMap((pod) => pod.faults)
  }

  /** Resolves when that many pods are ready, and the surplus is terminating. */
  async scale(replicas: number): Promise<void> {
    const missing = replicas - this.#pods.length
    await Promise.all(Array.from({ length: missing }, () => this.#add()))
    // The youngest go first.
    for (const pod of this.#pods.slice(replicas)) this.#remove(pod)
  }

  /**
   * Like `kubectl rollout restart`: replaces every pod, with at most `maxSurge` pods more and `maxUnavailable` fewer than
   * the replicas. Resolves when all new pods are ready and all old ones are terminating.
   */
  async rollout(): Promise<void> {
    const { maxSurge, maxUnavailable } = rollingUpdateOf(this.#options.manifest)
    const replicas = this.#pods.length
    const old = [...this.#pods]
    while (old.length > 0) {
      const ready = this.#pods.filter((pod) => pod.ready).length
      const spare = Math.max(0, ready - (replicas - maxUnavailable))
      for (const pod of old.splice(0, spare)) this.#remove(pod)
      const room = Math.min(replicas + maxSurge - this.#pods.length, old.length)
      await Promise.all(Array.from({ length: room }, () => this.#add()))
      if (spare === 0 && room === 0) await delay(lookEveryMs)
    }
    await this.scale(replicas)
  }

  /** Resolves when all terminating pods are gone. */
  async gone(): Promise<void> {
    await Promise.all(this.#going)
  }

  async vanish(): Promise<void> {
    await Promise.all(this.all.map((pod) => pod.vanish()))
  }

  async #add(): Promise<void> {
    const name = `${this.name}-${this.#count++}`
    // The first pod has waited for the migration, so the others skip their init containers.
    const pod = await Pod.start({ ...this.#options, name, prepared: this.all.length > 0 })
    this.all.push(pod)
    this.#pods.push(pod)
    await pod.untilReady()
  }

  #remove(pod: Pod): void {
    this.#pods = this.#pods.filter((it) => it !== pod)
    this.#going.push(pod.terminate())
  }
}

const rollingUpdateOf = (manifest: Manifest): { maxSurge: number; maxUnavailable: number } =>
  manifest.spec.strategy.rollingUpdate
