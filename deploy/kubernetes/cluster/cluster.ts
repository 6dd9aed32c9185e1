/** A real Kubernetes of two nodes, in namespaces of this machine. Everything of it ends with this process. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { root } from '../../local/root.ts'
import { sources } from './cache.ts'
import { run } from './commands.ts'
import { startApi, startControllers } from './control-plane.ts'
import { enforcePolicies, startKubelet } from './kubelet.ts'
import { Node } from './node.ts'
import { relay } from './relay.ts'

export type ClusterOptions = {
  /** Of the programs. */
  bin: string
  /** Archives of images, which both nodes import. */
  archives: string[]
  /** For its files: a folder that exists, and is deleted with it. */
  dir: string
}

export class Cluster implements AsyncDisposable {
  /** The control plane runs on the first. */
  readonly nodes: [Node, Node]
  /** For the API server, at an address of this machine. */
  readonly kubeconfig: string
  readonly bin: string
  readonly #dir: string
  readonly #close: () => void

  private constructor(nodes: [Node, Node], kubeconfig: string, options: ClusterOptions, close: () => void) {
    this.nodes = nodes
    this.kubeconfig = kubeconfig
    this.bin = options.bin
    this.#dir = options.dir
    this.#close = close
  }

  static async start(options: ClusterOptions): Promise<Cluster> {
    const { bin, dir, archives } = options
    const pki = join(dir, 'pki')
    await run(join(sources, 'certificates.sh'), [pki, 'https://198.18.0.1:6443'])
    const pause = join(bin, 'pause')
    const nodes: [Node, Node] = [await Node.start('n1', 1, dir, pause), await Node.start('n2', 2, dir, pause)]
    try {
      await run(
        join(sources, 'node/network.sh'),
        nodes.map(({ pid }) => String(pid)),
      )
      startApi(nodes[0], bin, pki)
      const { kubeconfig, close } = await openApi(nodes[0], dir)
      const cluster = new Cluster(nodes, kubeconfig, options, close)
      await cluster.eventually('the API server', () => cluster.kubectl('get', '--raw', '/readyz'))
      startControllers(nodes[0], bin, pki)
      await Promise.all(nodes.map((node) => startKubelet(node, { bin, pki, archives })))
      await cluster.eventually('the nodes', () =>
        cluster.kubectl('wait', '--for=condition=ready', 'nodes', 'n1', 'n2', '--timeout=10s'),
      )
      for (const node of nodes) enforcePolicies(node, { bin, pki, archives })
      await cluster.kubectl('apply', '-f', join(sources, 'addons.yaml'))
      await cluster.#addVolumes()
      const addons = ['-n', 'kube-system', 'deployment', '--all', '--timeout=2m']
      await cluster.kubectl('wait', '--for=condition=available', ...addons)
      return cluster
    } catch (error) {
      for (const node of nodes) await node.kill()
      throw error
    }
  }

  /** As a person on this machine would: with the kubeconfig, in the folder of the repository. */
  kubectl(...args: string[]): Promise<string> {
    return run(join(this.bin, 'kubectl'), args, { cwd: root, env: this.env })
  }

  /** The same with input. */
  apply(...manifests: object[]): Promise<string> {
    const input = manifests.map((it) => JSON.stringify(it)).join('\n---\n')
    return run(join(this.bin, 'kubectl'), ['apply', '-f', '-'], { cwd: root, env: this.env, input })
  }

  get env(): NodeJS.ProcessEnv {
    return { ...process.env, KUBECONFIG: this.kubeconfig, PATH: `${this.bin}:${process.env.PATH}` }
  }

  /** A node whose process 1 was killed gets new processes, with the files that it had. */
  async restart(node: Node): Promise<void> {
    const index = this.nodes.indexOf(node)
    const started = await Node.start(node.name, node.number, this.#dir, join(this.bin, 'pause'))
    this.nodes[index] = started
    await run(
      join(sources, 'node/network.sh'),
      this.nodes.map(({ pid }) => String(pid)),
    )
    const options = { bin: this.bin, pki: join(this.#dir, 'pki'), archives: [] }
    await startKubelet(started, options)
    enforcePolicies(started, options)
  }

  /** The beginning of a command line in the network of a pod on the first node. */
  async inNetworkOf(namespace: string, pod: string): Promise<[string, ...string[]]> {
    const id = await this.kubectl(
      ...['-n', namespace, 'get', 'pod', pod, '-o', 'jsonpath={.status.containerStatuses[0].containerID}'],
    )
    const [node] = this.nodes
    const ctr = [
      join(this.bin, 'ctr'),
      '--address',
      join(node.dir, 'containerd.sock'),
      '--namespace',
      'k8s.io',
    ]
    const tasks = await node.run(...ctr, 'tasks', 'list')
    const pid = tasks
      .split('\n')
      .map((line) => line.split(/\s+/))
      .find(([it]) => it === id.split('//')[1])?.[1]
    if (!pid) throw new Error(`Cannot find the process of ${namespace}/${pod}`)
    return [...node.enter, 'nsenter', `--target=${pid}`, '--net', '--']
  }

  /** Calls until it does not throw. @throws the last error when the time is over. */
  async eventually<Found>(what: string, ask: () => Promise<Found>, seconds = 120): Promise<Found> {
    const deadline = performance.now() + seconds * 1_000
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}`, { cause: error })
        await delay(500)
      }
    }
  }

  /** Two folders on the first node, one for each store. Scenes drain and lose the other. */
  async #addVolumes(): Promise<void> {
    const [{ name, dir }] = this.nodes
    for (const number of [1, 2]) {
      const path = join(dir, `volume-${number}`)
      await mkdir(path, { recursive: true })
      await chmod(path, 0o777)
      await this.apply(volume(`${name}-${number}`, name, path))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close()
    for (const node of this.nodes) await node.kill()
    await rm(this.#dir, { recursive: true, force: true })
  }
}

/** The network of the nodes is not that of the machine, so connections to the API server are led through a socket. */
async function openApi(node: Node, dir: string): Promise<{ kubeconfig: string; close: () => void }> {
  const path = join(dir, 'api.sock')
  node.launch(process.execPath, join(sources, 'relay.ts'), path, node.address, '6443')
  const server = relay({ host: '127.0.0.1', port: 0 }, { path })
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const kubeconfig = join(dir, 'kubeconfig')
  const pki = join(dir, 'pki')
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'books',
        cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority': join(pki, 'ca.crt') },
      },
    ],
    users: [
      {
        name: 'admin',
        user: { 'client-certificate': join(pki, 'admin.crt'), 'client-key': join(pki, 'admin.key') },
      },
    ],
    contexts: [{ name: 'books', context: { cluster: 'books', user: 'admin' } }],
    'current-context': 'books',
  }
  await writeFile(kubeconfig, JSON.stringify(content, null, 2), { mode: 0o600 })
  return { kubeconfig, close: () => server.close() }
}

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
