/** A real Kubernetes of two nodes, in namespaces of this machine. Everything of it ends with this process. */
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { sources } from './cache.ts'
import { run } from './commands.ts'
import { startApi, startControllers } from './control-plane.ts'
import { enforcePolicies, startKubelet } from './kubelet.ts'
import { Kubernetes, stays } from './kubernetes.ts'
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

export class Cluster extends Kubernetes {
  /** The control plane runs on the first. */
  readonly nodes: [Node, Node]
  readonly #bin: string
  readonly #dir: string
  readonly #close: () => void

  private constructor(nodes: [Node, Node], kubeconfig: string, options: ClusterOptions, close: () => void) {
    super(kubeconfig, join(options.bin, 'kubectl'))
    this.nodes = nodes
    this.#bin = options.bin
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
      await cluster.kubectl('label', 'node', 'n1', `${stays}=true`)
      await cluster.kubectl('apply', '-f', join(sources, 'addons'))
      await cluster.#makeVolumes()
      const addons = ['-n', 'kube-system', 'deployment', '--all', '--timeout=2m']
      await cluster.kubectl('wait', '--for=condition=available', ...addons)
      return cluster
    } catch (error) {
      for (const node of nodes) await node.kill()
      throw error
    }
  }

  /** A node whose process 1 was killed gets new processes, with the files that it had. */
  async restart(node: Node): Promise<void> {
    const index = this.nodes.indexOf(node)
    const started = await Node.start(node.name, node.number, this.#dir, join(this.#bin, 'pause'))
    this.nodes[index] = started
    await run(
      join(sources, 'node/network.sh'),
      this.nodes.map(({ pid }) => String(pid)),
    )
    const options = { bin: this.#bin, pki: join(this.#dir, 'pki'), archives: [] }
    await startKubelet(started, options)
    enforcePolicies(started, options)
  }

  async #makeVolumes(): Promise<void> {
    const paths: [string, string] = [join(this.nodes[0].dir, 'volume-1'), join(this.nodes[0].dir, 'volume-2')]
    for (const path of paths) {
      await mkdir(path, { recursive: true })
      await chmod(path, 0o777)
    }
    await this.addVolumes(paths)
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
