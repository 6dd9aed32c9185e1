/** Allowed connections. */
import { find, type Manifest, nameOf } from '../render.ts'
import { type Container, ofKind, podLabelsOf, type Rule, selects, services, workloads } from './rule.ts'

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
    claim: 'no service accepts calls from another service, or from anyone',
    faults: (manifests) =>
      services(manifests).flatMap((it) =>
        callersOf(manifests, it)
          .filter(
            (peer) =>
              peer.anyone ||
              workloads(manifests).some(
                (of) => peer.podSelector && matches(peer.podSelector, podLabelsOf(of)),
              ),
          )
          .map((peer) => `${nameOf(it)} accepts calls from ${JSON.stringify(peer)}`),
      ),
    breach: (manifests) =>
      find(manifests, 'NetworkPolicy', 'from-ingress').spec.ingress[0].from.push({
        podSelector: { matchLabels: { 'app.kubernetes.io/name': 'notifier' } },
      }),
  },
  {
    claim: 'the ingress controller reaches the services of its Ingresses, and not the notifier',
    faults: (manifests) => {
      const routed = new Set(
        ofKind(manifests, 'Ingress').flatMap(({ spec }) =>
          spec.rules.flatMap(({ http }: Container) =>
            http.paths.map(({ backend }: Container) => backend.service.name),
          ),
        ),
      )
      return services(manifests)
        .filter((it) => callersOf(manifests, it).some(isIngress) !== routed.has(it.metadata.name))
        .map((it) => `${nameOf(it)} is ${routed.has(it.metadata.name) ? 'not reachable' : 'reachable'}`)
    },
    breach: (manifests) => {
      const [{ http }] = find(manifests, 'Ingress', 'customers').spec.rules
      http.paths[0].backend.service.name = 'notifier'
    },
  },
  {
    claim: 'Prometheus reaches only the port of metrics, and nothing else reaches that port',
    faults: (manifests) =>
      services(manifests).flatMap((it) =>
        rulesFor(manifests, podLabelsOf(it), 'ingress').flatMap(({ from = [], ports = [] }) => {
          const watching = from.some(
            (peer: Container) => JSON.stringify(peer) === JSON.stringify(fromMonitoring),
          )
          const named = ports.map(({ port }: Container) => port).join()
          return named === (watching ? 'ops' : 'http')
            ? []
            : [`${nameOf(it)} is reachable at ${named || 'any port'}`]
        }),
      ),
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'monitoring').spec.ingress[0].ports.push({ port: 'http' })
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
    claim: 'only the notifier reaches the internet, and no private address',
    faults: (manifests) =>
      services(manifests).flatMap((it) => {
        const blocks = rulesFor(manifests, podLabelsOf(it), 'egress')
          .filter(({ ports }) => !ports?.every(({ port }: Container) => storePorts.includes(port)))
          .flatMap(({ to }) => to ?? [{ ipBlock: { cidr: 'everywhere' } }])
          .flatMap(({ ipBlock }: Container) => ipBlock ?? [])
        const reachingIn = blocks.filter(
          ({ cidr, except = [] }) => !world[cidr]?.every((range) => except.includes(range)),
        )
        const expected = it.metadata.name === 'notifier' ? Object.keys(world).length : 0
        return reachingIn.length > 0 || blocks.length !== expected
          ? [`${nameOf(it)} reaches too much or too little`]
          : []
      }),
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'notifier-to-world').spec.egress[0].to[1].ipBlock.cidr = '::/0'
    },
  },
]
