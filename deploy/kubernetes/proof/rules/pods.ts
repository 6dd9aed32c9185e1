/** Rights and resources of pods. */
import { find, type Manifest, nameOf } from '../render.ts'
import { type Container, containersOf, mainOf, podLabelsOf, processes, type Rule, workloads } from './rule.ts'

const labels = ['name', 'component', 'part-of'].map((it) => `app.kubernetes.io/${it}`)

const inEachContainer = (wrong: (container: Container) => unknown, what: string) => (manifests: Manifest[]) =>
  workloads(manifests).flatMap((it) =>
    containersOf(it)
      .filter(wrong)
      .map((container) => `${nameOf(it)}, ${container.name}: ${what}`),
  )
const inEachPod = (wrong: (pod: Container) => unknown, what: string) => (manifests: Manifest[]) =>
  workloads(manifests)
    .filter(({ spec }) => wrong(spec.template.spec))
    .map((it) => `${nameOf(it)}: ${what}`)

/** The most memory that a process was measured to take, in bytes (docs/capacity.md, `base/web.yaml`). */
const measured: Record<string, number> = { reservation: 205e6, stock: 170e6, notifier: 170e6, web: 190e6 }

export const pods: Rule[] = [
  {
    claim: 'every workload and its pods carry the recommended labels',
    faults: (manifests) =>
      workloads(manifests).flatMap((it) =>
        labels
          .filter((label) => {
            const value = it.metadata.labels?.[label]
            return !value || podLabelsOf(it)[label] !== value
          })
          .map((label) => `${nameOf(it)} lacks ${label}, or its pods have another value`),
      ),
    breach: (manifests) => delete podLabelsOf(find(manifests, 'Job', 'migrate'))['app.kubernetes.io/part-of'],
  },
  {
    claim: 'no pod runs as root or without a seccomp profile',
    faults: inEachPod(
      ({ securityContext: it }) =>
        it?.runAsNonRoot !== true || it.runAsUser === 0 || it.seccompProfile?.type !== 'RuntimeDefault',
      'not restricted',
    ),
    breach: (manifests) =>
      delete find(manifests, 'Deployment', 'stock').spec.template.spec.securityContext.seccompProfile,
  },
  {
    claim: 'no container has capabilities, can gain privileges, or can write to its root filesystem',
    faults: inEachContainer(
      ({ securityContext: it }) =>
        it?.allowPrivilegeEscalation !== false ||
        it.readOnlyRootFilesystem !== true ||
        it.privileged === true ||
        it.capabilities?.add !== undefined ||
        it.capabilities?.drop?.join() !== 'ALL',
      'not confined',
    ),
    breach: (manifests) => {
      containersOf(find(manifests, 'Deployment', 'notifier'))[0].securityContext.readOnlyRootFilesystem =
        false
    },
  },
  {
    claim: 'no pod shares a namespace or a path of its host',
    faults: inEachPod(
      (pod) =>
        pod.hostNetwork ||
        pod.hostPID ||
        pod.hostIPC ||
        pod.volumes?.some((volume: Container) => volume.hostPath),
      'shares the host',
    ),
    breach: (manifests) =>
      find(manifests, 'Job', 'migrate').spec.template.spec.volumes.push({
        name: 'x',
        hostPath: { path: '/' },
      }),
  },
  {
    claim: 'a process has a /tmp of limited size',
    faults: (manifests) =>
      processes(manifests)
        .filter((it) => {
          const mount = mainOf(it).volumeMounts?.find((at: Container) => at.mountPath === '/tmp')
          const volume = it.spec.template.spec.volumes?.find((of: Container) => of.name === mount?.name)
          return !volume?.emptyDir?.sizeLimit
        })
        .map((it) => `${nameOf(it)} has no /tmp`),
    breach: (manifests) => {
      mainOf(find(manifests, 'Deployment', 'stock')).volumeMounts = []
    },
  },
  {
    claim: 'no pod has a token for the API server',
    faults: inEachPod((pod) => pod.automountServiceAccountToken !== false, 'has a token'),
    breach: (manifests) =>
      delete find(manifests, 'Deployment', 'reservation').spec.template.spec.automountServiceAccountToken,
  },
  {
    claim: 'each process and the migration have their own service account',
    faults: (manifests) =>
      [...processes(manifests), find(manifests, 'Job', 'migrate')].flatMap((it) => {
        const account = it.spec.template.spec.serviceAccountName
        const there = manifests.some(
          ({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === account,
        )
        return account === it.metadata.name && there ? [] : [`${nameOf(it)} runs as ${account}`]
      }),
    breach: (manifests) => {
      find(manifests, 'Deployment', 'stock').spec.template.spec.serviceAccountName = 'default'
    },
  },
  {
    claim: 'every container requests CPU and memory, and has a memory limit above its request',
    faults: inEachContainer(
      ({ resources: it }) =>
        !it?.requests?.cpu || !(bytes(it?.requests?.memory) <= bytes(it?.limits?.memory)),
      'resources are not bounded',
    ),
    breach: (manifests) => delete mainOf(find(manifests, 'Deployment', 'stock')).resources.limits,
  },
  {
    claim: 'a process requests the memory that it was measured to take',
    faults: (manifests) =>
      processes(manifests)
        .filter((it) => bytes(mainOf(it).resources.requests.memory) < measured[it.metadata.name]!)
        .map((it) => `${nameOf(it)} requests less memory than it takes`),
    breach: (manifests) => {
      mainOf(find(manifests, 'Deployment', 'reservation')).resources.requests.memory = '192Mi'
    },
  },
]

const units: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, k: 1e3, M: 1e6, G: 1e9, '': 1 }

function bytes(quantity: string | undefined): number {
  const [, count, unit] = /^([0-9.]+)([A-Za-z]*)$/.exec(quantity ?? '') ?? []
  return Number(count) * (units[unit ?? ''] ?? Number.NaN)
}
