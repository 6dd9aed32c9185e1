/** Who may talk to whom. */
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

/** Who may call these pods: pods of our namespace by their labels, and namespaces by theirs. */
const callersOf = (manifests: Manifest[], service: Manifest): Container[] =>
  rulesFor(manifests, podLabelsOf(service), 'ingress').flatMap(({ from }) => from ?? [{ everybody: true }])

const fromIngress = { namespaceSelector: { matchLabels: { 'bookreservation.example/ingress': 'true' } } }
const fromMonitoring = {
  namespaceSelector: { matchLabels: { 'bookreservation.example/monitoring': 'true' } },
}
const isIngress = (peer: Container) => JSON.stringify(peer) === JSON.stringify(fromIngress)

/** Of what `actors/notifier/channels/public-address.ts` lets nobody call, what may lead inside. */
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
/** Where stores may be: they are reached by their own ports alone. */
const storePorts = [5432, 6379, 6380]

export const network: Rule[] = [
  {
    claim: 'what no policy names is refused, both ways',
    faults: (manifests) =>
      ofKind(manifests, 'NetworkPolicy').some(
        ({ spec }) =>
          Object.keys(spec.podSelector).length === 0 &&
          spec.policyTypes.join() === 'Ingress,Egress' &&
          !spec.ingress &&
          !spec.egress,
      )
        ? []
        : ['all may talk to all'],
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'nothing').spec.policyTypes = ['Ingress']
    },
  },
  {
    claim: 'no service is called by another service, and none by everybody',
    faults: (manifests) =>
      services(manifests).flatMap((it) =>
        callersOf(manifests, it)
          .filter(
            (peer) =>
              peer.everybody ||
              workloads(manifests).some(
                (of) => peer.podSelector && matches(peer.podSelector, podLabelsOf(of)),
              ),
          )
          .map((peer) => `${nameOf(it)} is called by ${JSON.stringify(peer)}`),
      ),
    breach: (manifests) =>
      find(manifests, 'NetworkPolicy', 'from-ingress').spec.ingress[0].from.push({
        podSelector: { matchLabels: { 'app.kubernetes.io/name': 'notifier' } },
      }),
  },
  {
    claim: 'the ingress controller reaches what an Ingress leads to, and not the notifier',
    faults: (manifests) => {
      const led = new Set(
        ofKind(manifests, 'Ingress').flatMap(({ spec }) =>
          spec.rules.flatMap(({ http }: Container) =>
            http.paths.map(({ backend }: Container) => backend.service.name),
          ),
        ),
      )
      return services(manifests)
        .filter((it) => callersOf(manifests, it).some(isIngress) !== led.has(it.metadata.name))
        .map((it) => `${nameOf(it)} is ${led.has(it.metadata.name) ? 'not reached' : 'reached'}`)
    },
    breach: (manifests) => {
      const [{ http }] = find(manifests, 'Ingress', 'customers').spec.rules
      http.paths[0].backend.service.name = 'notifier'
    },
  },
  {
    claim: 'Prometheus reaches the port of metrics alone, and nothing else reaches that port',
    faults: (manifests) =>
      services(manifests).flatMap((it) =>
        rulesFor(manifests, podLabelsOf(it), 'ingress').flatMap(({ from = [], ports = [] }) => {
          const watching = from.some(
            (peer: Container) => JSON.stringify(peer) === JSON.stringify(fromMonitoring),
          )
          const named = ports.map(({ port }: Container) => port).join()
          return named === (watching ? 'ops' : 'http')
            ? []
            : [`${nameOf(it)} is reached at ${named || 'any port'}`]
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
          return there ? [] : [`${nameOf(it)} does not reach ${port}`]
        }),
      )
    },
    breach: (manifests) => {
      find(manifests, 'NetworkPolicy', 'to-managed-stores').spec.egress[0].ports = [{ port: 5432 }]
    },
  },
  {
    claim: 'the notifier alone reaches the world, and nothing private there',
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
