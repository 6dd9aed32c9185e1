/** Allowed connections. */
import { readFileSync } from 'node:fs'
import { serviceNames } from '../../../../platform/config.ts'
import { documentFile } from '../../../local/openapi/write.ts'
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

/** A path of the one host, and the Service that it leads to. The port is undefined if the Service has none like it. */
type Route = { from: string; path: string; service: string; port: number | undefined }

/** The routes of Ingresses, or those of the Gateway API. */
export function routesOf(manifests: Manifest[]): Route[] {
  const portOf = (service: string, wanted: { name?: string; number?: number }) =>
    ofKind(manifests, 'Service')
      .find(({ metadata }) => metadata.name === service)
      ?.spec.ports.find((it: Container) => it.name === wanted.name || it.port === wanted.number)?.port
  const ofIngresses = ofKind(manifests, 'Ingress').flatMap(({ metadata, spec }) =>
    spec.rules.flatMap(({ http }: Container) =>
      http.paths.map(({ path, backend: { service: it } }: Container) => ({
        from: metadata.name,
        path,
        service: it.name,
        port: portOf(it.name, it.port),
      })),
    ),
  )
  const ofGateways = ofKind(manifests, 'HTTPRoute').flatMap(({ metadata, spec }) =>
    spec.rules.flatMap(({ matches, backendRefs }: Container) =>
      matches.flatMap(({ path }: Container) =>
        backendRefs.map((it: Container) => ({
          from: metadata.name,
          path: path.value,
          service: it.name,
          port: portOf(it.name, { number: it.port }),
        })),
      ),
    ),
  )
  return [...ofIngresses, ...ofGateways]
}

/** Paths of the calls of operators, by the services' documents. */
function operatorsPaths(): string[] {
  type Document = { paths: Record<string, Record<string, { tags?: string[] }>> }
  const found = serviceNames.flatMap((service) => {
    const { paths } = JSON.parse(readFileSync(documentFile(service), 'utf8')) as Document
    return Object.entries(paths).flatMap(([path, calls]) =>
      Object.values(calls).some(({ tags }) => tags?.includes('operator')) ? [path] : [],
    )
  })
  return [...new Set(found)]
}

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
    claim: 'the ingress controller reaches the services that paths lead to, and not the notifier',
    faults: (manifests) => {
      const routed = new Set(routesOf(manifests).map(({ service }) => service))
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
    claim: 'every path leads to the port of a Service that customers or staff may call',
    faults: (manifests) => {
      const open = services(manifests).map(({ metadata: { name } }) => {
        const { ports } = find(manifests, 'Service', name).spec
        return `${name}:${ports.find((it: Container) => it.name === 'http').port}`
      })
      return routesOf(manifests)
        .filter(({ service, port }) => !open.includes(`${service}:${port}`))
        .map(({ path, service, port }) => `${path} leads to ${service}:${port}`)
    },
    breach: (manifests) => {
      const [{ http }] = find(manifests, 'Ingress', 'staff').spec.rules
      http.paths[0].backend.service.port.name = 'ops'
    },
  },
  {
    claim: 'no path leads to a call of operators, such as those about dead letters, which every service has',
    faults: (manifests) =>
      routesOf(manifests).flatMap(({ from, path }) =>
        operatorsPaths()
          .filter((call) => `${call}/`.startsWith(`${path.replace(/\/$/, '')}/`))
          .map((call) => `${from} exposes ${call}`),
      ),
    breach: (manifests) => {
      const [{ http }] = find(manifests, 'Ingress', 'customers').spec.rules
      http.paths[0].path = '/dead-letters'
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
