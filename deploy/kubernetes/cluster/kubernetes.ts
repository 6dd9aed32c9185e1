/** A cluster as the scenes see it, wherever it comes from: this machine (`cluster.ts`), or kind (`kind.ts`). */
import { setTimeout as delay } from 'node:timers/promises'
import { root } from '../../local/root.ts'
import { type RunOptions, run } from './commands.ts'

export type ClusterNode = {
  readonly name: string
  /** Runs a command inside. @returns what it printed. */
  run(...command: string[]): Promise<string>
  /** As if the power was cut. */
  kill(): Promise<void>
}

/** A label of the first node: what scenes must not lose is there. They drain and lose the other one. */
export const stays = 'bookreservation.example/stays'

export abstract class Kubernetes implements AsyncDisposable {
  abstract readonly nodes: [ClusterNode, ClusterNode]
  readonly kubeconfig: string
  readonly #program: string

  /** @param program is kubectl. */
  constructor(kubeconfig: string, program: string) {
    this.kubeconfig = kubeconfig
    this.#program = program
  }

  /** Starts a node again that was killed. */
  abstract restart(node: ClusterNode): Promise<void>
  abstract [Symbol.asyncDispose](): Promise<void>

  /** As a person on this machine would: with the kubeconfig, in the folder of the repository. */
  kubectl(...args: string[]): Promise<string> {
    return this.#run(args)
  }

  /** The same with input. */
  pipe(input: string, ...args: string[]): Promise<string> {
    return this.#run(args, { input })
  }

  apply(...manifests: object[]): Promise<string> {
    return this.pipe(textOf(manifests), 'apply', '-f', '-')
  }

  /** Those that exist. */
  delete(...manifests: object[]): Promise<string> {
    return this.pipe(textOf(manifests), 'delete', '--ignore-not-found', '-f', '-')
  }

  /** The same as a command line, for a command that lasts. */
  commandOf(...args: string[]): { program: string; args: string[]; env: NodeJS.ProcessEnv } {
    return { program: this.#program, args, env: { ...process.env, KUBECONFIG: this.kubeconfig } }
  }

  #run(given: string[], options: RunOptions = {}): Promise<string> {
    const { program, args, env } = this.commandOf(...given)
    return run(program, args, { cwd: root, env, ...options })
  }

  /** Calls until it does not throw. @throws the last error when the time is over. */
  async eventually<Found>(what: string, ask: () => Promise<Found>, seconds = 120): Promise<Found> {
    const deadline = performance.now() + seconds * 1_000
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (performance.now() > deadline) throw new Error(`Timed out waiting for ${what}`, { cause: error })
        await delay(500)
      }
    }
  }

  /** Two volumes on the first node, one for each store. @param paths are folders there, which exist. */
  async addVolumes(paths: [string, string]): Promise<void> {
    const [{ name }] = this.nodes
    await this.apply(...paths.map((path, i) => volume(`volume-${i + 1}`, name, path)))
  }
}

const textOf = (manifests: object[]) => manifests.map((it) => JSON.stringify(it)).join('\n---\n')

const volume = (name: string, node: string, path: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage: '5Gi' },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'folders',
    local: { path },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
        ],
      },
    },
  },
})
