/**
 * Traefik as the ingress controller and the controller of the Gateway API, twice: `public` for customers, and `internal` for staff.
 * Both are in the namespace that `components/gateway` expects, with the label that `components/network-policies` asks for.
 */
import { join } from 'node:path'
import type { Address } from '../callers/customers.ts'
import { traefikImage } from '../images.ts'
import type { Stage } from '../stage.ts'

export const entries = ['public', 'internal'] as const
export type Entry = (typeof entries)[number]

const namespace = 'gateways'
/** Listeners of a Gateway must have the port of an entry point of Traefik. */
const port = 8000
const pingPort = 8001

/** Until both are available. */
export async function startTraefik(stage: Stage): Promise<void> {
  // The definitions are too large for the annotation of a client-side apply.
  await stage.cluster.kubectl('apply', '--server-side', '-k', join(stage.extra('traefik'), 'crd'))
  await stage.cluster.apply(...rights, ...entries.flatMap(controller))
  const available = ['wait', '--for=condition=available', 'deployment', '--all', '--timeout=2m']
  await stage.cluster.kubectl('-n', namespace, ...available)
}

export async function removeTraefik(stage: Stage): Promise<void> {
  await stage.cluster.kubectl('delete', '-k', join(stage.extra('traefik'), 'crd'), '--ignore-not-found')
  await stage.cluster.delete(...entries.flatMap(controller), ...rights.toReversed())
}

/** The two Gateways that `components/gateway` names. */
export async function openGateways(stage: Stage): Promise<void> {
  await stage.cluster.apply(...entries.flatMap(gateway))
  const programmed = ['wait', '--for=condition=programmed', 'gateway', '--all', '--timeout=1m']
  await stage.cluster.kubectl('-n', namespace, ...programmed)
}

/** @param name is the host that it is asked for. */
export async function addressOf(stage: Stage, entry: Entry, name?: string): Promise<Address> {
  const clusterIP = ['get', 'service', entry, '-o', 'jsonpath={.spec.clusterIP}']
  const host = await stage.cluster.kubectl('-n', namespace, ...clusterIP)
  return { host, port: 80, ...(name && { name }) }
}

const read = ['get', 'list', 'watch']
const rbac = 'rbac.authorization.k8s.io'
const meta = { name: 'traefik', namespace }
const labels = { 'bookreservation.example/ingress': 'true' }

/** As its documentation has them, for Ingresses and the Gateway API. */
const rights = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name: meta.name },
    rules: [
      {
        apiGroups: [''],
        resources: ['namespaces', 'nodes', 'services', 'secrets', 'configmaps'],
        verbs: read,
      },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: read },
      { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'ingressclasses'], verbs: read },
      { apiGroups: ['gateway.networking.k8s.io'], resources: ['*'], verbs: [...read, 'update'] },
    ],
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: meta.name },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: meta.name },
    subjects: [{ kind: 'ServiceAccount', ...meta }],
  },
]

/** With the defaults of Traefik, as far as routes and time limits go. */
const args = (entry: Entry) => [
  `--entrypoints.web.address=:${port}`,
  `--entrypoints.ping.address=:${pingPort}`,
  '--ping.entrypoint=ping',
  `--providers.kubernetesingress.ingressclass=${entry}`,
  `--providers.kubernetesgateway.labelselector=entry=${entry}`,
  '--global.checknewversion=false',
]

const controller = (entry: Entry) => [
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: {
      name: entry,
      annotations: { 'ingressclass.kubernetes.io/is-default-class': String(entry === 'public') },
    },
    spec: { controller: 'traefik.io/ingress-controller' },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: entry, namespace },
    spec: { selector: { entry }, ports: [{ port: 80, targetPort: port }] },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: entry, namespace },
    spec: {
      selector: { matchLabels: { entry } },
      template: {
        metadata: { labels: { entry } },
        spec: {
          serviceAccountName: meta.name,
          containers: [
            {
              name: 'traefik',
              image: traefikImage,
              imagePullPolicy: 'Never',
              args: args(entry),
              readinessProbe: { httpGet: { path: '/ping', port: pingPort }, periodSeconds: 1 },
              resources: { requests: { cpu: '50m', memory: '128Mi' } },
            },
          ],
        },
      },
    },
  },
]

const gateway = (entry: Entry) => [
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: entry, labels: { entry } },
    spec: { controllerName: 'traefik.io/gateway-controller' },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: entry, namespace },
    spec: {
      gatewayClassName: entry,
      listeners: [{ name: 'http', protocol: 'HTTP', port, allowedRoutes: { namespaces: { from: 'All' } } }],
    },
  },
]
