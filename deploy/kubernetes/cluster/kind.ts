/** The same scenes on kind, whose nodes are containers of Docker: for machines with other cgroups, and for CI. */
import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sources } from './cache.ts'
import { run } from './commands.ts'
import { type ClusterNode, Kubernetes, stays } from './kubernetes.ts'

const name = 'books'

export type KindOptions = {
  /** Archives of images, which both nodes import. */
  archives: string[]
  /** A folder that exists, for the kubeconfig. */
  dir: string
}

export class Kind extends Kubernetes {
  readonly nodes: [ClusterNode, ClusterNode] = [node(`${name}-control-plane`), node(`${name}-worker`)]

  static async start({ archives, dir }: KindOptions): Promise<Kind> {
    const kubeconfig = join(dir, 'kubeconfig')
    const cluster = new Kind(kubeconfig, 'kubectl')
    try {
      const config = join(sources, 'kind.yaml')
      const options = ['--name', name, '--config', config, '--kubeconfig', kubeconfig, '--wait', '5m']
      await run('kind', ['create', 'cluster', ...options])
      for (const it of archives) await run('kind', ['load', 'image-archive', it, '--name', name])
      const [first] = cluster.nodes
      await cluster.kubectl('label', 'node', first.name, `${stays}=true`)
      for (const it of ['metrics.yaml', 'volumes.yaml'])
        await cluster.kubectl('apply', '-f', join(sources, 'addons', it))
      const paths: [string, string] = ['/var/volume-1', '/var/volume-2']
      for (const it of paths) await first.run('install', '--directory', '--mode=777', it)
      await cluster.addVolumes(paths)
      // kind has a default of its own.
      const not = { metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'false' } } }
      await cluster.kubectl('patch', 'storageclass', 'standard', '-p', JSON.stringify(not))
      const addons = ['-n', 'kube-system', 'deployment', '--all', '--timeout=2m']
      await cluster.kubectl('wait', '--for=condition=available', ...addons)
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  async restart({ name }: ClusterNode): Promise<void> {
    await run('docker', ['start', name])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('kind', ['delete', 'cluster', '--name', name])
    await rm(dirname(this.kubeconfig), { recursive: true, force: true })
  }
}

const node = (name: string): ClusterNode => ({
  name,
  run: (...command) => run('docker', ['exec', name, ...command]),
  kill: async () => void (await run('docker', ['kill', name])),
})
