/** Allowed connections. */
import { type ServiceName, serviceNames } from '../../../../platform/config.ts'
import { find, type Manifest, nameOf } from '../render.ts'
import { routesOf } from './routes.ts'
import {
  type Container,
  containersOf,
  hasLogin,
  mainOf,
  ofKind,
  podLabelsOf,
  processes,
  type Rule,
  selects,
  services,
  workloads,
} from './rule.ts'

type Selector = {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values: string[] }[]
}

function matches(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Record<string, string>,
): boolean {
  return (
    selects(matchLabels, labels) &&
    matchExpressions.every(({ key, operator, values }) => operator === 'In' && values.includes(labels[key]!))
  )
}

/** The rules of all policies for these pods, in one direction. */
const rulesFor = (
  manifests: Manifest[],
  labels: Record<string, string>,
  direction: 'ingress' | 'egress',
): Container[] =>
  ofKind(manifests, 'NetworkPolicy')
    .filter(({ spec }) => matches(spec.podSelector, labels))
    .flatMap(({ spec }) => spec[direction] ?? [])

/** The peers that may call these pods. */
const callersOf = (manifests: Manifest[], service: Manifest): Container[] =>
  rulesFor(manifests, podLabelsOf(service), 'ingress').flatMap(({ from }) => from ?? [{ anyone: true }])

const fromIngress = { namespaceSelector: { matchLabels: { 'bookreservation.example/ingress': 'true' } } }
const fromMonitoring = {
  namespaceSelector: { matchLabels: { 'bookreservation.example/monitoring': 'true' } },
}
const isIngress = (peer: Container) => JSON.stringify(peer) === JSON.stringify(fromIngress)

/** Public ranges, without the parts that may lead inside; `actors/notifier/channels/public-address.ts` excludes them too. */
const world: Record<string, string[]> = {
  '0.0.0.0/0': [
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.168.0.0/16',
    '198.18.0.0/15',
    '224.0.0.0/3',
  ],
  '2000::/3': ['2001::/23', '2002::/16'],
}
/** The ports of stores. */
const storePorts = [5432, 6379, 6380]

const isService = (name: string | undefined) => serviceNames.includes(name as ServiceName)

/** Whether these are the pods of a service that verifies tokens of the pages. */
const readsKeys = (manifests: Manifest[], of: Manifest) => hasLogin(manifests) && isService(of.metadata.name)

/** The names, without repetition, that the processes give to these ports. Ports that none has keep their numbers. */
function namesOf(manifests: Manifest[], ports: Container[]): string[] {
  const all = processes(manifests).flatMap((it) => mainOf(it).ports as Container[])
  return [
    ...new Set(
      ports.map(
        ({ port }) =>
          all.find(({ name, containerPort: number }) => port === name || port === number)?.name ?? port,
      ),
    ),
  ]
}

const selectorOf = ({ podSelector = {} }: Container): Selector => podSelector

/** The numbers of a port with a name in the pods that any of the selectors matches. */
const numbersOf = (manifests: Manifest[], selectors: Selector[], port: unknown) =>
  new Set(
    workloads(manifests)
      .filter((it) => selectors.some((selector) => matches(selector, podLabelsOf(it))))
      .flatMap((it) => containersOf(it).flatMap(({ ports = [] }) => ports as Container[]))
      .filter(({ name }) => name === port)
      .map(({ containerPort }) => containerPort),
  )

const isDns = ({ ports = [] }: Container) =>
  ports.every(({ port }: Container) => port === 53) && ports.length > 0

export const network: Rule[] = [
  {
    claim: 'connections that no policy allows are refused, in both directions',
    faults: (manifests) =>
      ofKind(manifests, 'NetworkPolicy').some(
        ({ spec }) =>
          Object.keys(spec.podSelector).length === 0 &&
          spec.policyTypes.join() === 'Ingress,Egress' &&
          !spec.ingress &&
          !spec.egress,
      )
        ? []
        : ['every pod may call every pod'],
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'nothing').spec.policyTypes = ['Ingress']
    },
  },
  {
    claim:
      'only the pages call services, and no other pod of the system calls the pages, except for their keys',
    faults: (manifests) =>
      processes(manifests).flatMap((it) =>
        callersOf(manifests, it)
          .filter(
            (peer) =>
              peer.anyone ||
              workloads(manifests)
                .filter((of) => of.metadata.name !== 'web' || it.metadata.name === 'web')
                .filter((of) => it.metadata.name !== 'web' || !readsKeys(manifests, of))
                .some((of) => peer.podSelector && matches(peer.podSelector, podLabelsOf(of))),
          )
          .map((peer) => `${nameOf(it)} accepts calls from ${JSON.stringify(peer)}`),
      ),
    breach: (manifests) =>
      find(manifests, 'NetworkPolicy', 'from-ingress').spec.ingress[0].from.push({
        podSelector: { matchLabels: { 'app.kubernetes.io/name': 'notifier' } },
      }),
  },
  {
    claim:
      'the pages reach the HTTP APIs of all services, and, only where people log in, Postgres and the provider',
    faults: (manifests) => {
      const web = find(manifests, 'Deployment', 'web')
      const egress = rulesFor(manifests, podLabelsOf(web), 'egress').filter((it) => !isDns(it))
      const isApi = ({ to = [{}], ports = [] }: Container, service: Manifest) =>
        namesOf(manifests, ports).join() === 'http' &&
        to.every(({ podSelector }: Container) => podSelector && matches(podSelector, podLabelsOf(service)))
      const lets = (service: Manifest) =>
        callersOf(manifests, service).some(
          ({ podSelector }) => podSelector && matches(podSelector, podLabelsOf(web)),
        )
      const cut = services(manifests).filter((it) => !lets(it) || !egress.some((rule) => isApi(rule, it)))
      const portsOf = ({ ports = [] }: Container) => ports.map(({ port }: Container) => port).join()
      const needed = hasLogin(manifests) ? ['5432', '443'] : []
      const missing = needed.filter((port) => !egress.some((rule) => portsOf(rule) === port))
      const open = egress.filter(
        (rule) => !services(manifests).some((it) => isApi(rule, it)) && !needed.includes(portsOf(rule)),
      )
      return [
        ...missing.map((port) => `They cannot reach the port ${port}`),
        ...cut.map((it) => `They cannot reach ${nameOf(it)}`),
        ...open.map((it) => `They reach ${JSON.stringify(it)}`),
      ]
    },
    breach: (manifests) => {
      const { podSelector } = find(manifests, 'NetworkPolicy', 'to-managed-stores').spec
      podSelector.matchExpressions[0].values.push('web')
    },
  },
  {
    claim: 'the ingress controller reaches the processes that paths lead to, and not the notifier',
    faults: (manifests) => {
      const routed = new Set(routesOf(manifests).map(({ service }) => service))
      return processes(manifests)
        .filter((it) => callersOf(manifests, it).some(isIngress) !== routed.has(it.metadata.name))
        .map((it) => `${nameOf(it)} is ${routed.has(it.metadata.name) ? 'not reachable' : 'reachable'}`)
    },
    breach: (manifests) => {
      const [{ http }] = find(manifests, 'Ingress', 'customers').spec.rules
      http.paths[0].backend.service.name = 'notifier'
    },
  },
  {
    claim: 'Prometheus finds and reaches every process',
    faults: (manifests) =>
      processes(manifests).flatMap((it) => {
        const { labels = {} } = find(manifests, 'Service', it.metadata.name).metadata
        const monitors = ofKind(manifests, 'ServiceMonitor')
        const found = monitors.length === 0 || monitors.some(({ spec }) => matches(spec.selector, labels))
        const reached = callersOf(manifests, it).some(
          (peer) => JSON.stringify(peer) === JSON.stringify(fromMonitoring),
        )
        return found && reached ? [] : [`${nameOf(it)} is not ${found ? 'reached' : 'found'}`]
      }),
    breach: (manifests) =>
      find(manifests, 'ServiceMonitor', 'services').spec.selector.matchExpressions[0].values.pop(),
  },
  {
    claim: 'Prometheus reaches only the port of metrics, and nothing else reaches that port',
    faults: (manifests) =>
      processes(manifests).flatMap((it) =>
        rulesFor(manifests, podLabelsOf(it), 'ingress').flatMap(({ from = [], ports = [] }) => {
          const watching = from.some(
            (peer: Container) => JSON.stringify(peer) === JSON.stringify(fromMonitoring),
          )
          const named = namesOf(manifests, ports).join()
          return named === (watching ? 'ops' : 'http')
            ? []
            : [`${nameOf(it)} is reachable at ${named || 'any port'}`]
        }),
      ),
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'monitoring').spec.ingress[0].ports.push({ port: 8081 })
    },
  },
  {
    claim: 'a policy names no port that has several numbers, which would refuse fresh connections on k3s',
    faults: (manifests) =>
      ofKind(manifests, 'NetworkPolicy').flatMap((it) =>
        (['ingress', 'egress'] as const).flatMap((direction) =>
          (it.spec[direction] ?? []).flatMap(({ to, ports = [] }: Container) => {
            const selectors = direction === 'ingress' ? [it.spec.podSelector] : (to ?? []).map(selectorOf)
            return ports
              .filter(({ port }: Container) => numbersOf(manifests, selectors, port).size > 1)
              .map(({ port }: Container) => `${nameOf(it)} names ${port}`)
          }),
        ),
      ),
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'from-ingress').spec.ingress[0].ports = [{ port: 'http' }]
    },
  },
  {
    claim: 'each service and the migration reach their stores',
    faults: (manifests) => {
      const kept = ofKind(manifests, 'StatefulSet')
      return [...services(manifests), find(manifests, 'Job', 'migrate')].flatMap((it) =>
        [5432, 6379].flatMap((port) => {
          const open = rulesFor(manifests, podLabelsOf(it), 'egress').filter(({ ports }) =>
            ports?.some((of: Container) => of.port === port),
          )
          const there = open
            .flatMap(({ to }) => to)
            .some(
              (peer: Container) =>
                peer.ipBlock || kept.some((store) => matches(peer.podSelector ?? {}, podLabelsOf(store))),
            )
          return there ? [] : [`${nameOf(it)} cannot reach ${port}`]
        }),
      )
    },
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'to-managed-stores').spec.egress[0].ports = [{ port: 5432 }]
    },
  },
  {
    claim: 'only the notifier, and the pages where people log in, reach the internet, and no private address',
    faults: (manifests) =>
      processes(manifests).flatMap((it) => {
        const blocks = rulesFor(manifests, podLabelsOf(it), 'egress')
          .filter(({ ports }) => !ports?.every(({ port }: Container) => storePorts.includes(port)))
          .flatMap(({ to }) => to ?? [{ ipBlock: { cidr: 'everywhere' } }])
          .flatMap(({ ipBlock }: Container) => ipBlock ?? [])
        const reachingIn = blocks.filter(
          ({ cidr, except = [] }) => !world[cidr]?.every((range) => except.includes(range)),
        )
        const { name } = it.metadata
        const reaches = name === 'notifier' || (name === 'web' && hasLogin(manifests))
        const expected = reaches ? Object.keys(world).length : 0
        return reachingIn.length > 0 || blocks.length !== expected
          ? [`${nameOf(it)} reaches too much or too little`]
          : []
      }),
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'notifier-to-world').spec.egress[0].to[1].ipBlock.cidr = '::/0'
    },
  },
]
