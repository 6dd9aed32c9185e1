/**
 * The programs of the cluster. Go builds them from the sources that `programs/` pins by version and checksum: two modules, because
 * containerd and Kubernetes need different versions of the same libraries.
 */
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { cached, sources } from './cache.ts'
import { run } from './commands.ts'

/** The version that the API server reports. `programs/go.mod` names the same one; a test compares them. */
export const kubernetesVersion = '1.36.3'

const versions = {
  'k8s.io/component-base/version.gitVersion': `v${kubernetesVersion}`,
  'k8s.io/component-base/version.gitMajor': kubernetesVersion.split('.')[0],
  'k8s.io/component-base/version.gitMinor': kubernetesVersion.split('.')[1],
  'k8s.io/client-go/pkg/version.gitVersion': `v${kubernetesVersion}`,
}
const flags = ['-s', '-w', ...Object.entries(versions).map(([name, value]) => `-X ${name}=${value}`)].join(
  ' ',
)

/** Ours: process 1 of nodes and pods, the names of the cluster, and the enforcer of policies. */
const ours = ['./pause', './coredns', './network-policies']

/** @returns the folder of the programs. The first time takes about a quarter of an hour on two cores. */
export const buildPrograms = (): Promise<string> =>
  cached('programs', ['programs'], async (bin) => {
    await mkdir(bin, { recursive: true })
    await build('containerd', bin, ['tool'], 'Building containerd and the network plugins: about 3 minutes')
    await build('.', bin, ['tool', ...ours], `Building Kubernetes ${kubernetesVersion}: about 12 minutes`)
    // The main package of etcd is the folder `server/v3` of its module.
    await rename(join(bin, 'v3'), join(bin, 'etcd')).catch(() =>
      rename(join(bin, 'server'), join(bin, 'etcd')),
    )
  })

function build(module: string, bin: string, packages: string[], saying: string): Promise<string> {
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' }
  const args = ['build', '-trimpath', '-ldflags', flags, '-o', `${bin}/`, ...packages]
  return run('go', args, { cwd: join(sources, 'programs', module), env, saying })
}
