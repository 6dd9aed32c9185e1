/** The environment of containers, and the ConfigMaps and Secrets that it comes from. */
import type { Manifest } from '../render.ts'
import { type Container, ofKind } from './rule.ts'

type Source = { kind: 'ConfigMap' | 'Secret'; name: string; optional: boolean }

/** The ConfigMaps and Secrets that a container reads, whole or by key. */
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

/** The suffix that kustomize gives to generated names. */
export const hashed = /-[bcdfghkmt2456789]{10}$/
export const plain = (name: string): string => name.replace(hashed, '')

/** The ExternalSecret of that name, if there is one. */
export const external = (manifests: Manifest[], name: string): Manifest | undefined =>
  ofKind(manifests, 'ExternalSecret').find((it) => (it.spec.target?.name ?? it.metadata.name) === name)

/** The environment of a container. Values of an ExternalSecret are its templates; those of `env` win. */
export function environmentOf(manifests: Manifest[], container: Container): Record<string, string> {
  return Object.assign(
    {},
    ...sourcesOf(container).map(({ kind, name }) => {
      const found = manifests.find((it) => it.kind === kind && it.metadata.name === name)
      if (!found) return external(manifests, name)?.spec.target?.template?.data
      return kind === 'ConfigMap' ? found.data : decoded(found)
    }),
    literals(container),
  )
}

const literals = ({ env = [] }: Container): Record<string, string> =>
  Object.fromEntries(
    env
      .filter(({ value }: Container) => value !== undefined)
      .map(({ name, value }: Container) => [name, value]),
  )

const decoded = ({ data }: Manifest): Record<string, string> =>
  Object.fromEntries(
    Object.entries<string>(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )

/** The passwords that the migration sets, by names such as `stockredis`. Those of an ExternalSecret are its references. */
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

/** The passwords with which a service logs in, in the same form. */
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
