/** Settings, secrets and images of pods. */
import { dirname } from 'node:path'
import { notifierSettings } from '../../../../actors/notifier/config.ts'
import { type ConfigError, type ProcessName, serviceNames, toConfig } from '../../../../platform/config.ts'
import { toPagesConfig } from '../../../../web/config.ts'
import { find, type Manifest, nameOf } from '../render.ts'
import {
  environmentOf,
  external,
  hashed,
  passwordsSet,
  passwordsUsed,
  plain,
  sourcesOf,
} from './environment.ts'
import {
  type Container,
  containersOf,
  mainOf,
  ofKind,
  processes,
  type Rule,
  services,
  settingsOf,
  workloads,
} from './rule.ts'

/** Secrets whose names do not begin with their owner. */
const owners: Record<string, string> = { 'alert-token': 'notifier' }
/** The operator demands a Secret, but it only names files of secrets. */
const harmless = ['alertmanager-config']
const ownSecrets = (manifests: Manifest[]) =>
  ofKind(manifests, 'Secret').filter(({ metadata }) => !harmless.includes(metadata.name))
const forDevelopment = (it: Manifest) =>
  it.metadata.annotations?.['bookreservation.example/for'] === 'development-only'

export const secrets: Rule[] = [
  {
    claim: 'every referenced ConfigMap and Secret exists, with a hash in its name, or as an ExternalSecret',
    faults: (manifests) =>
      workloads(manifests).flatMap((it) =>
        containersOf(it).flatMap((container) =>
          sourcesOf(container)
            .filter(({ kind, name, optional }) => {
              const generated = manifests.some((of) => of.kind === kind && of.metadata.name === name)
              if (generated) return !hashed.test(name)
              return !optional && !(kind === 'Secret' && external(manifests, name))
            })
            .map(({ kind, name }) => `${nameOf(it)}: ${kind} ${name}`),
        ),
      ),
    breach: (manifests) => {
      mainOf(find(manifests, 'Deployment', 'stock')).envFrom[0].configMapRef.name = 'settings'
    },
  },
  {
    claim: 'no ExternalSecret is optional: a notifier without its channels would silently notify no customer',
    faults: (manifests) =>
      workloads(manifests).flatMap((it) =>
        containersOf(it)
          .flatMap(sourcesOf)
          .filter(({ kind, name, optional }) => kind === 'Secret' && optional && external(manifests, name))
          .map(({ name }) => `${nameOf(it)} starts without ${name}`),
      ),
    breach: (manifests) => {
      mainOf(find(manifests, 'Deployment', 'notifier')).envFrom[2].secretRef.optional = true
    },
  },
  {
    claim: 'a pod has only its own secrets',
    faults: (manifests) => {
      const owner = (name: string) => owners[name] ?? plain(name).replace(/-(stores|channels|admin)$/, '')
      return workloads(manifests).flatMap((it) =>
        containersOf(it)
          .flatMap(sourcesOf)
          .filter(({ kind, name }) => kind === 'Secret' && owner(name) !== it.metadata.name)
          .map(({ name }) => `${nameOf(it)} has ${name}`),
      )
    },
    breach: (manifests) =>
      mainOf(find(manifests, 'Deployment', 'stock')).envFrom.push({ secretRef: { name: 'notifier-stores' } }),
  },
  {
    claim: 'each service logs in to Postgres and Redis as itself',
    faults: (manifests) =>
      services(manifests).flatMap((it) => {
        const { DATABASE_URL, REDIS_URL } = environmentOf(manifests, mainOf(it))
        const userOf = (url = '') => /:\/\/([^:]+):/.exec(url)?.[1]
        return [DATABASE_URL, REDIS_URL]
          .filter((url) => userOf(url) !== it.metadata.name)
          .map((url) => `${nameOf(it)} logs in as ${userOf(url)}`)
      }),
    breach: (manifests) => {
      const { data } = find(manifests, 'ExternalSecret', 'stock-stores').spec.target.template
      data.REDIS_URL = data.REDIS_URL.replace('stock', 'default')
    },
  },
  {
    claim: 'the migration sets the passwords with which the services log in',
    faults: (manifests) => {
      const set = passwordsSet(manifests)
      return services(manifests).flatMap(({ metadata: { name } }) =>
        Object.entries(passwordsUsed(manifests, name))
          .filter(([store, password]) => set[name + store] !== password)
          .map(([store]) => `${name} cannot log in to ${store}`),
      )
    },
    breach: (manifests) => {
      const { data } = find(manifests, 'ExternalSecret', 'migrate-stores').spec
      const of = (key: string) => data.find(({ secretKey }: Container) => secretKey === key)
      of('stockRedisPassword').remoteRef = of('notifierRedisPassword').remoteRef
    },
  },
  {
    claim: 'the pages have no secret',
    faults: (manifests) =>
      sourcesOf(mainOf(find(manifests, 'Deployment', 'web')))
        .filter(({ kind }) => kind === 'Secret')
        .map(({ name }) => `They have ${name}`),
    breach: (manifests) => {
      mainOf(find(manifests, 'Deployment', 'web')).envFrom.push({ secretRef: { name: 'web-stores' } })
    },
  },
  {
    claim: 'the pages call each service at the port of its Service',
    faults: (manifests) => {
      const { urls } = toPagesConfig(environmentOf(manifests, mainOf(find(manifests, 'Deployment', 'web'))))
      return serviceNames
        .filter((name) => {
          const { ports } = find(manifests, 'Service', name).spec
          return urls[name] !== `http://${name}:${ports.find((it: Container) => it.name === 'http').port}`
        })
        .map((name) => `They call ${name} at ${urls[name]}`)
    },
    breach: (manifests) => {
      const { env } = mainOf(find(manifests, 'Deployment', 'web'))
      env.find(({ name }: Container) => name === 'STOCK_URL').value = 'http://stock:9082'
    },
  },
  {
    claim: 'each process accepts its settings',
    faults: (manifests) =>
      processes(manifests).flatMap((it) => {
        try {
          const environment = filledIn(environmentOf(manifests, mainOf(it)))
          const name = it.metadata.name as ProcessName
          const own = name === 'notifier' ? notifierSettings : undefined
          if (name === 'web') toPagesConfig(environment)
          else toConfig(name, environment, own)
          return []
        } catch (error) {
          return (error as ConfigError).faults.map((fault) => `${nameOf(it)}: ${fault}`)
        }
      }),
    breach: (manifests) => {
      settingsOf(manifests).LEASE_TTL_MS = '5s'
    },
  },
  {
    claim:
      'where no secret is for development, callers say who they are, and the keys of their tokens are mounted',
    faults: (manifests) => {
      if (manifests.some(forDevelopment)) return []
      const { PRODUCTION, TOKEN_JWKS_URL = '' } = settingsOf(manifests)
      const folder = dirname(new URL(TOKEN_JWKS_URL).pathname)
      const isMounted = (it: Manifest) =>
        mainOf(it).volumeMounts.some(({ mountPath }: Container) => mountPath === folder)
      return [
        ...(PRODUCTION === 'true' ? [] : ['PRODUCTION is not true']),
        ...services(manifests)
          .filter((it) => TOKEN_JWKS_URL.startsWith('file:') && !isMounted(it))
          .map((it) => `${nameOf(it)} has no keys in ${folder}`),
      ]
    },
    breach: (manifests) => {
      settingsOf(manifests).PRODUCTION = 'false'
    },
  },
  {
    claim: 'every secret in git is marked as being for development',
    faults: (manifests) =>
      ownSecrets(manifests)
        .filter((it) => !forDevelopment(it))
        .map((it) => `${nameOf(it)} is in git`),
    breach: (manifests) =>
      manifests.push({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'stock-stores' }, data: {} }),
  },
  {
    claim: 'stores outside of the cluster are reached by verified TLS',
    faults: (manifests) =>
      ofKind(manifests, 'ExternalSecret').flatMap((it) =>
        Object.entries<string>(it.spec.target?.template?.data ?? {})
          .filter(([, value]) => /^[a-z+]+:\/\//.test(value))
          .filter(([, value]) => !/^rediss(\+cluster)?:|sslmode=verify-full/.test(value))
          .map(([key]) => `${nameOf(it)}: ${key} does not verify TLS`),
      ),
    breach: (manifests) => {
      const { data } = find(manifests, 'ExternalSecret', 'stock-stores').spec.target.template
      data.DATABASE_URL = data.DATABASE_URL.replace('verify-full', 'require')
    },
  },
  {
    claim: 'all our pods run one image, and every image has a digest or a fixed tag',
    faults: (manifests) => {
      const images = workloads(manifests).flatMap((it) =>
        containersOf(it).map(({ image }) => image as string),
      )
      const ours = new Set(images.filter((image) => image.includes('bookreservation')))
      const loose = images.filter((image) => !/@sha256:[0-9a-f]{64}$|:(?!latest$)[\w.-]+$/.test(image))
      return ours.size > 1 ? [...loose, `several of our images: ${[...ours].join(', ')}`] : loose
    },
    breach: (manifests) => {
      mainOf(find(manifests, 'Deployment', 'stock')).image = 'registry.example/bookreservation:latest'
    },
  },
]

/** Fills in templates of ExternalSecrets with any word. */
const filledIn = (environment: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, value.replaceAll(/\{\{.*?\}\}/g, 'x')]),
  )
