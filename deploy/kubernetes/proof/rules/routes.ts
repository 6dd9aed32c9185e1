/** The paths of ingresses and gateways, and what is behind them. */
import { readFileSync } from 'node:fs'
import { type ServiceName, serviceNames } from '../../../../platform/config.ts'
import { documentFile } from '../../../local/openapi/write.ts'
import { find, type Manifest } from '../render.ts'
import { pages } from './pages.ts'
import { type Container, ofKind, processes, type Rule } from './rule.ts'

/**
 * A path of the one host, by itself (`exact`) or with all below it, and the Service that it leads to. The port is undefined if the
 * Service has none like it.
 */
type Route = { from: string; path: string; exact: boolean; service: string; port: number | undefined }

/** The routes of Ingresses, or those of the Gateway API. */
export function routesOf(manifests: Manifest[]): Route[] {
  const portOf = (service: string, wanted: { name?: string; number?: number }) =>
    ofKind(manifests, 'Service')
      .find(({ metadata }) => metadata.name === service)
      ?.spec.ports.find((it: Container) => it.name === wanted.name || it.port === wanted.number)?.port
  const ofIngresses = ofKind(manifests, 'Ingress').flatMap(({ metadata, spec }) =>
    spec.rules.flatMap(({ http }: Container) =>
      http.paths.map(({ path, pathType, backend: { service: it } }: Container) => ({
        from: metadata.name,
        path,
        exact: pathType === 'Exact',
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
          exact: path.type === 'Exact',
          service: it.name,
          port: portOf(it.name, { number: it.port }),
        })),
      ),
    ),
  )
  return [...ofIngresses, ...ofGateways]
}

type Comparing = 'by parts' | 'by letters'

/**
 * The Service to which a request is routed: by the longest of the paths that match, as Ingresses and the Gateway API demand.
 * @param comparing how prefixes are compared. They demand `by parts`, so that `/book` does not match `/books`.
 */
function leadsTo(routes: Route[], asked: string, comparing: Comparing = 'by parts'): string | undefined {
  const under = (path: string) =>
    comparing === 'by letters'
      ? asked.startsWith(path)
      : `${asked}/`.startsWith(`${path.replace(/\/$/, '')}/`)
  const found = routes.filter(({ path, exact }) => (exact ? path === asked : under(path)))
  return found.toSorted((a, b) => b.path.length - a.path.length || Number(b.exact) - Number(a.exact))[0]
    ?.service
}

/** The paths of each service, by its document: those of operators, and those of all others. */
const paths = serviceNames.flatMap((service) => {
  type Document = { paths: Record<string, Record<string, { tags?: string[] }>> }
  const document = JSON.parse(readFileSync(documentFile(service), 'utf8')) as Document
  return Object.entries(document.paths).map(([path, calls]) => {
    const tagged = (tag: string) => Object.values(calls).some(({ tags }) => tags?.includes(tag))
    return { service, path, ofOperators: tagged('operator') || tagged('audit'), ofProbes: tagged('health') }
  })
})
const operatorsPaths = [...new Set(paths.filter((it) => it.ofOperators).map((it) => it.path))]

/** The routes of customers, of staff, and of a controller that serves both. */
const doors = (routes: Route[]) => {
  const customers = routes.filter(({ from }) => from === 'customers')
  const staff = routes.filter(({ from }) => from === 'staff')
  return { customers, staff, both: routes }
}

/** Whether one request can match both patterns, such as `/books/{bookid}` and `/books/:bookid`. */
function overlap(one: string, other: string): boolean {
  const [a, b] = [one.split('/'), other.split('/')]
  const any = (part: string) => part.startsWith('{') || part.startsWith(':')
  return a.length === b.length && a.every((part, i) => part === b[i] || any(part) || any(b[i]!))
}

const isService = (name: string | undefined) => serviceNames.includes(name as ServiceName)

/** A path of the customers' Ingress. */
const pathOf = (manifests: Manifest[], path: string): Container =>
  find(manifests, 'Ingress', 'customers').spec.rules[0].http.paths.find((it: Container) => it.path === path)

export const routing: Rule[] = [
  {
    claim: 'every path leads to the port of a Service that customers or staff may call',
    faults: (manifests) => {
      const open = processes(manifests).map(({ metadata: { name } }) => {
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
      Object.entries(doors(routesOf(manifests))).flatMap(([who, routes]) =>
        operatorsPaths
          .filter((call) => isService(leadsTo(routes, call)))
          .map((call) => `${who} may call ${call}`),
      ),
    breach: (manifests) => {
      const [{ http }] = find(manifests, 'Ingress', 'customers').spec.rules
      http.paths[0].path = '/dead-letters'
    },
  },
  {
    claim: 'no page takes a path from an API: each path leads to its own service, and each page to the pages',
    faults: (manifests) => {
      const routes = routesOf(manifests)
      const calls = paths.filter((it) => it.service !== 'notifier' && !it.ofOperators && !it.ofProbes)
      return [
        ...calls
          .filter(({ service, path }) => leadsTo(routes, path) !== service)
          .map(({ path }) => `${path} leads to ${leadsTo(routes, path)}`),
        ...pages
          .filter(({ path }) => leadsTo(routes, path) !== 'web')
          .map(({ path }) => `the page ${path} leads to ${leadsTo(routes, path)}`),
        ...pages.flatMap((page) =>
          paths.filter((it) => overlap(page.path, it.path)).map((it) => `${page.path} is ${it.path} too`),
        ),
      ]
    },
    breach: (manifests) => {
      pathOf(manifests, '/books').backend.service.name = 'web'
    },
  },
  {
    claim: 'customers reach every page that is open to them',
    faults: (manifests) => {
      const { customers } = doors(routesOf(manifests))
      return pages
        .filter(({ path, ofStaff }) => !ofStaff && leadsTo(customers, path) !== 'web')
        .map(({ path }) => `They do not reach ${path}`)
    },
    breach: (manifests) => {
      pathOf(manifests, '/me').pathType = 'Exact'
    },
  },
  {
    claim: 'customers reach no page of staff, nor one that may be added: people choose who they are',
    faults: (manifests) => {
      const { customers } = doors(routesOf(manifests))
      const ofStaff = pages.filter((it) => it.ofStaff).map(({ path }) => path)
      return [...ofStaff, '/another-page']
        .filter((path) => leadsTo(customers, path) === 'web')
        .map((path) => `They reach ${path}`)
    },
    breach: (manifests) => {
      pathOf(manifests, '/').pathType = 'Prefix'
    },
  },
  {
    claim:
      'every path leads to the same service if prefixes are compared by letters, as Traefik does by default',
    faults: (manifests) =>
      Object.entries(doors(routesOf(manifests))).flatMap(([who, routes]) =>
        [...paths.filter((it) => !it.ofProbes), ...pages]
          .filter(({ path }) => leadsTo(routes, path, 'by letters') !== leadsTo(routes, path))
          .map(({ path }) => `${who}: ${path} leads to ${leadsTo(routes, path, 'by letters')}`),
      ),
    breach: (manifests) => {
      pathOf(manifests, '/me').path = '/re'
    },
  },
  {
    claim: 'staff reach every page',
    faults: (manifests) => {
      const { staff } = doors(routesOf(manifests))
      return pages
        .filter(({ path }) => leadsTo(staff, path) !== 'web')
        .map(({ path }) => `They do not reach ${path}`)
    },
    breach: (manifests) => find(manifests, 'Ingress', 'staff').spec.rules[0].http.paths.pop(),
  },
]
