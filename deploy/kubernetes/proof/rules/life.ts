/** How the pods of a process start, are probed, are replaced and stop. */
import { stopLimitMs } from '../../../../platform/process.ts'
import { find, type Manifest, nameOf } from '../render.ts'
import {
  type Container,
  containersOf,
  mainOf,
  ofKind,
  podLabelsOf,
  processes,
  type Rule,
  selects,
  services,
  settingsOf,
} from './rule.ts'

type Wrong = (deployment: Manifest, manifests: Manifest[]) => unknown

const forAll =
  (of: (manifests: Manifest[]) => Manifest[]) => (wrong: Wrong, what: string) => (manifests: Manifest[]) =>
    of(manifests)
      .filter((it) => wrong(it, manifests))
      .map((it) => `${nameOf(it)} ${what}`)
const forProcesses = forAll(processes)
const forServices = forAll(services)

const stock = (manifests: Manifest[]) => find(manifests, 'Deployment', 'stock')
const migration = (manifests: Manifest[]) => find(manifests, 'Job', 'migrate')
const pages = (manifests: Manifest[]) => find(manifests, 'Deployment', 'web')

/** How long a container keeps serving before SIGTERM. */
function preStopSeconds(container: Container): number {
  const [command, seconds] = container.lifecycle?.preStop?.exec?.command ?? []
  return command === 'sleep' ? Number(seconds) : Number.NaN
}

const isProduction = (manifests: Manifest[]) => settingsOf(manifests).PRODUCTION === 'true'

const spreadOf = (deployment: Manifest, key: string): Container =>
  deployment.spec.template.spec.topologySpreadConstraints?.find((it: Container) => it.topologyKey === key)

/** Among the pods of the same Deployment and version, as far as possible. */
function isSpread(deployment: Manifest, key: string): boolean {
  const spread = spreadOf(deployment, key)
  return (
    spread?.maxSkew === 1 &&
    spread.whenUnsatisfiable === 'ScheduleAnyway' &&
    selects(spread.labelSelector.matchLabels, podLabelsOf(deployment)) &&
    spread.matchLabelKeys?.join() === 'app.kubernetes.io/name,pod-template-hash'
  )
}

const probes = { startupProbe: '/startupz', readinessProbe: '/readyz', livenessProbe: '/livez' }

export const life: Rule[] = [
  {
    claim: 'every process has a startup, a readiness and a liveness probe at the right paths',
    faults: (manifests) =>
      Object.entries(probes).flatMap(([probe, path]) =>
        forProcesses(
          (it) => mainOf(it)[probe]?.httpGet?.path !== path || mainOf(it)[probe].httpGet.port !== 'ops',
          `has no ${probe} at ${path}`,
        )(manifests),
      ),
    breach: (manifests) => {
      mainOf(stock(manifests)).livenessProbe.httpGet.path = '/readyz'
    },
  },
  {
    claim: 'probes have their own port, so that customers cannot crowd them out',
    faults: forProcesses((it) => {
      const portOf = (name: string) => mainOf(it).ports.find((port: Container) => port.name === name)
      return !portOf('ops') || portOf('ops').containerPort === portOf('http')?.containerPort
    }, 'has no port for probes'),
    breach: (manifests) => mainOf(stock(manifests)).ports.pop(),
  },
  {
    claim:
      'a process counts as hanging after three unanswered probes of 3 s each, so a busy one is left alone',
    faults: forProcesses((it) => {
      const { failureThreshold, timeoutSeconds } = mainOf(it).livenessProbe
      return !(failureThreshold >= 3 && timeoutSeconds >= 3)
    }, 'is killed too early'),
    breach: (manifests) => {
      mainOf(stock(manifests)).livenessProbe.failureThreshold = 1
    },
  },
  {
    claim: 'a process may take a minute to start',
    faults: forProcesses((it) => {
      const { failureThreshold, periodSeconds } = mainOf(it).startupProbe
      return !(failureThreshold * periodSeconds >= 60)
    }, 'has too little time to start'),
    breach: (manifests) => {
      mainOf(stock(manifests)).startupProbe.failureThreshold = 5
    },
  },
  {
    claim: 'a terminating pod keeps serving for 5 s while the cluster learns of it',
    faults: forProcesses((it) => !(preStopSeconds(mainOf(it)) >= 5), 'stops at once'),
    breach: (manifests) => delete mainOf(stock(manifests)).lifecycle,
  },
  {
    claim: 'the grace period covers preStop, draining and stopping',
    faults: forProcesses((it, manifests) => {
      const drain = Number(settingsOf(manifests).DRAIN_MS) + stopLimitMs
      const { terminationGracePeriodSeconds: grace } = it.spec.template.spec
      return !(grace * 1000 > preStopSeconds(mainOf(it)) * 1000 + drain)
    }, 'is killed while it is stopping'),
    breach: (manifests) => {
      stock(manifests).spec.template.spec.terminationGracePeriodSeconds = 15
    },
  },
  {
    claim: 'a hanging process has a shorter grace period than a stopping one',
    faults: forProcesses((it) => {
      const grace = mainOf(it).livenessProbe.terminationGracePeriodSeconds
      return !(grace > preStopSeconds(mainOf(it)) && grace <= 10)
    }, 'has too long a grace period when it hangs'),
    breach: (manifests) => delete mainOf(stock(manifests)).livenessProbe.terminationGracePeriodSeconds,
  },
  {
    claim: 'a rolling update adds one pod before it removes one',
    faults: forProcesses(
      ({ spec: { strategy } }) =>
        strategy.type !== 'RollingUpdate' ||
        strategy.rollingUpdate.maxSurge !== 1 ||
        strategy.rollingUpdate.maxUnavailable !== 0,
      'is replaced in another way',
    ),
    breach: (manifests) => {
      stock(manifests).spec.strategy.rollingUpdate.maxUnavailable = 1
    },
  },
  {
    claim: 'a version that does not become ready is reported within minutes',
    faults: forProcesses(({ spec }) => !(spec.progressDeadlineSeconds <= 600), 'may hang forever'),
    breach: (manifests) => delete stock(manifests).spec.progressDeadlineSeconds,
  },
  {
    claim: 'pods of one version are spread over hosts, and start even where that is impossible',
    faults: forProcesses((it) => !isSpread(it, 'kubernetes.io/hostname'), 'is not spread over hosts'),
    breach: (manifests) => spreadOf(stock(manifests), 'kubernetes.io/hostname').matchLabelKeys.pop(),
  },
  {
    claim:
      'they are spread over zones in production only: where nodes have no zone, that would undo the spreading over hosts',
    faults: (manifests) =>
      forProcesses(
        (it) => isSpread(it, 'topology.kubernetes.io/zone') !== isProduction(manifests),
        'is spread over zones where there are none, or not where there are',
      )(manifests),
    breach: (manifests) => {
      settingsOf(manifests).PRODUCTION = 'false'
    },
  },
  {
    claim: 'a drain evicts one pod of a Deployment at a time, and unhealthy pods do not block it',
    faults: forProcesses(
      (it, manifests) =>
        ofKind(manifests, 'PodDisruptionBudget').filter(
          ({ spec }) =>
            selects(spec.selector.matchLabels, podLabelsOf(it)) &&
            spec.maxUnavailable === 1 &&
            spec.unhealthyPodEvictionPolicy === 'AlwaysAllow',
        ).length !== 1,
      'does not have exactly one disruption budget',
    ),
    breach: (manifests) => {
      find(manifests, 'PodDisruptionBudget', 'stock').spec.selector.matchLabels['app.kubernetes.io/name'] =
        'stick'
    },
  },
  {
    claim: 'a service waits for the migration of its own version',
    faults: forServices((it) => {
      const [wait] = containersOf(it)
      return (
        wait.args?.join(' ') !== `deploy/ops/await-migration.ts ${it.metadata.name}` ||
        wait.image !== mainOf(it).image
      )
    }, 'does not wait'),
    breach: (manifests) => {
      containersOf(stock(manifests))[0].args = ['deploy/ops/await-migration.ts', 'notifier']
    },
  },
  {
    claim: 'the migration waits some minutes for stores that start with it, and says so, instead of failing',
    faults: (manifests) => {
      const [command, wait] = mainOf(migration(manifests)).args
      return command === 'deploy/ops/migrate.ts' && wait === '--wait=300' ? [] : ['It fails at once']
    },
    breach: (manifests) => mainOf(migration(manifests)).args.pop(),
  },
  {
    claim:
      'the pages wait for nothing: they store only ended sessions, and a service that is down shows on them',
    faults: (manifests) =>
      containersOf(pages(manifests))
        .slice(0, -1)
        .map(({ name }) => `They wait for ${name}`),
    breach: (manifests) => {
      pages(manifests).spec.template.spec.initContainers = [containersOf(stock(manifests))[0]]
    },
  },
  {
    claim: 'a Service routes to the pods of its Deployment, at a port that they have',
    faults: forProcesses((it, manifests) => {
      const { spec } = find(manifests, 'Service', it.metadata.name)
      const [port] = mainOf(it).ports
      return (
        !selects(spec.selector, podLabelsOf(it)) ||
        spec.ports[0].targetPort !== port.name ||
        spec.ports[0].port !== port.containerPort
      )
    }, 'is not reached by its Service'),
    breach: (manifests) => {
      find(manifests, 'Service', 'stock').spec.ports[0].targetPort = 'web'
    },
  },
  {
    claim:
      'every Service has an address that outlives its pods, so that no caller keeps the old one of a replaced pod',
    faults: (manifests) =>
      ofKind(manifests, 'Service')
        .filter(({ spec }) => spec.clusterIP !== undefined || spec.type === 'ExternalName')
        .map((it) => `${nameOf(it)} has no address of its own`),
    breach: (manifests) => {
      find(manifests, 'Service', 'stock').spec.clusterIP = 'None'
    },
  },
]
