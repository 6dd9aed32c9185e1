/** What containers find in their environment, and which secrets it is of. */
import type { Manifest } from '../render.ts'
import { type Container, ofKind } from './rule.ts'

type Source = { kind: 'ConfigMap' | 'Secret'; name: string; optional: boolean }

/** Of which ConfigMaps and Secrets a container's environment is: whole ones, and keys of some. */
export const sourcesOf = ({ envFrom = [], env = [] }: Container): Source[] => [
  ...envFrom.map(({ configMapRef, secretRef }: Container) => toSource(configMapRef, secretRef)),
  ...env
    .filter(({ valueFrom }: Container) => valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef)
    .map(({ valueFrom }: Container) => toSource(valueFrom.configMapKeyRef, valueFrom.secretKeyRef)),
]

const toSource = (configMap: Container | undefined, secret: Container): Source => {
  const { name, optional = false } = configMap ?? secret
  return { kind: configMap ? 'ConfigMap' : 'Secret', name, optional }
}

/** As kustomize ends the names of what it generates. */
export const hashed = /-[bcdfghkmt2456789]{10}$/
export const plain = (name: string): string => name.replace(hashed, '')

/** The secret of that name, if it is kept elsewhere. */
export const external = (manifests: Manifest[], name: string): Manifest | undefined =>
  ofKind(manifests, 'ExternalSecret').find((it) => (it.spec.target?.name ?? it.metadata.name) === name)

/** What a pod finds in its environment. A secret from elsewhere shows what it will look like. */
export function environmentOf(manifests: Manifest[], container: Container): Record<string, string> {
  return Object.assign(
    {},
    ...sourcesOf(container).map(({ kind, name }) => {
      const found = manifests.find((it) => it.kind === kind && it.metadata.name === name)
      if (!found) return external(manifests, name)?.spec.target?.template?.data
      return kind === 'ConfigMap' ? found.data : decoded(found)
    }),
  )
}

const decoded = ({ data }: Manifest): Record<string, string> =>
  Object.fromEntries(
    Object.entries<string>(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )

/** The passwords that the migration sets, as `stockredis`; of those that are kept elsewhere, where that is. */
export function passwordsSet(manifests: Manifest[]): Record<string, string> {
  const nameOf = (key: string) =>
    key
      .replace(/_?password$/i, '')
      .replace('_', '')
      .toLowerCase()
  const entries = external(manifests, 'migrate-stores')
    ? remotes(manifests, 'migrate-stores')
    : Object.entries(generated(manifests, 'migrate-stores'))
  return Object.fromEntries(entries.map(([key, value]) => [nameOf(key), value]))
}

/** Those that a service logs in with, in the same form. */
export function passwordsUsed(manifests: Manifest[], service: string): { database: string; redis: string } {
  const name = `${service}-stores`
  const remote = Object.fromEntries(remotes(manifests, name))
  const { DATABASE_URL, REDIS_URL } = generated(manifests, name)
  const inUrl = (url = '') => /:\/\/[^:]+:([^@]+)@/.exec(url)?.[1] ?? ''
  return {
    database: remote.databasePassword ?? inUrl(DATABASE_URL),
    redis: remote.redisPassword ?? inUrl(REDIS_URL),
  }
}

const remotes = (manifests: Manifest[], name: string): [string, string][] =>
  (external(manifests, name)?.spec.data ?? []).map(({ secretKey, remoteRef }: Container) => [
    secretKey,
    `${remoteRef.key} ${remoteRef.property}`,
  ])

function generated(manifests: Manifest[], name: string): Record<string, string> {
  const secret = ofKind(manifests, 'Secret').find(({ metadata }) => plain(metadata.name) === name)
  return secret ? decoded(secret) : {}
}
