/**
 * The programs of the cluster. Go builds them from the sources that `programs/` pins by version and checksum: two modules, because
 * containerd and Kubernetes need different versions of the same libraries. KEDA and Traefik are two more.
 */
import { cp, mkdir, rename } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { k6Module } from '../../../load/k6/run/k6.ts'
import { root } from '../../local/root.ts'
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

/** @returns a folder with metrics-server alone. */
export const buildMetrics = (): Promise<string> =>
  cached('metrics', ['programs'], async (bin) => {
    await mkdir(bin, { recursive: true })
    await build('.', bin, ['sigs.k8s.io/metrics-server/cmd/metrics-server'], 'Building metrics-server')
  })

/** @returns the folder of KEDA: its programs, and the manifests that its module has (`kubectl apply --server-side -k`). */
export const buildKeda = (): Promise<string> =>
  cached('keda', ['keda'], async (dir) => {
    await mkdir(dir, { recursive: true })
    await build('../keda', dir, ['tool'], 'Building KEDA: about 10 minutes')
    await rename(join(dir, 'operator'), join(dir, 'keda'))
    await rename(join(dir, 'adapter'), join(dir, 'keda-adapter'))
    const module = await folderOf('keda', 'github.com/kedacore/keda/v2')
    await cp(join(module, 'config'), join(dir, 'config'), { recursive: true })
    await cp(join(sources, 'keda/kustomization.yaml'), join(dir, 'kustomization.yaml'))
  })

/** @returns the folder of Traefik: its program, and the definitions of the Gateway API that it knows (`kubectl apply -k crd`). */
export const buildTraefik = (): Promise<string> =>
  cached('traefik', ['traefik'], async (dir) => {
    await mkdir(dir, { recursive: true })
    await build('../traefik', dir, ['tool'], 'Building Traefik: about 10 minutes')
    const module = await folderOf('traefik', 'sigs.k8s.io/gateway-api')
    await cp(join(module, 'config/crd'), join(dir, 'crd'), { recursive: true })
  })

/** @returns k6, for a machine that has none. */
export const buildK6 = async (): Promise<string> => {
  const version = relative(sources, join(root, 'load/k6/run/k6.ts'))
  const bin = await cached('k6', [version], async (bin) => {
    await run('go', ['install', k6Module], { env: { ...env, GOBIN: bin }, saying: 'Building k6' })
  })
  return join(bin, 'k6')
}

const env = { ...process.env, CGO_ENABLED: '0' }

/** @returns where Go keeps one of the modules that ours is built from. */
const folderOf = (ours: string, module: string): Promise<string> =>
  run('go', ['list', '-m', '-f', '{{.Dir}}', module], { cwd: join(sources, ours) })

function build(module: string, bin: string, packages: string[], saying: string): Promise<string> {
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', flags, '-o', `${bin}/`, ...packages]
  return run('go', args, { cwd: join(sources, 'programs', module), env, saying })
}
