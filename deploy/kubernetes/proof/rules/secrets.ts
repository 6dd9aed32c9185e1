/** Settings, secrets and images of pods. */
import { generateKeyPairSync } from 'node:crypto'
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
  hasLogin,
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
      const owner = (name: string) =>
        owners[name] ?? plain(name).replace(/-(stores|channels|admin|login)$/, '')
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
    claim:
      'each service logs in to Postgres and Redis as itself, and so do the pages to Postgres if people log in',
    faults: (manifests) =>
      [...services(manifests), ...pagesWithLogin(manifests)].flatMap((it) => {
        const { DATABASE_URL, REDIS_URL } = environmentOf(manifests, mainOf(it))
        const userOf = (url = '') => /:\/\/([^:]+):/.exec(url)?.[1]
        return (it.metadata.name === 'web' ? [DATABASE_URL] : [DATABASE_URL, REDIS_URL])
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
      return [...services(manifests), ...pagesWithLogin(manifests)].flatMap(({ metadata: { name } }) =>
        Object.entries(passwordsUsed(manifests, name))
          .filter(([store]) => name !== 'web' || store === 'database')
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
    claim: 'the pages have no secret where there is no login',
    faults: (manifests) =>
      sourcesOf(mainOf(find(manifests, 'Deployment', 'web')))
        .filter(({ kind }) => kind === 'Secret' && !hasLogin(manifests))
        .map(({ name }) => `They have ${name}`),
    breach: (manifests) => {
      settingsOf(manifests).IDENTITY = 'off'
    },
  },
  {
    claim: 'the pages call each service at the port of its Service',
    faults: (manifests) => {
      const web = find(manifests, 'Deployment', 'web')
      const { urls } = toPagesConfig(filledIn(environmentOf(manifests, mainOf(web))))
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
    claim: 'where no secret is for development, callers say who they are',
    faults: (manifests) => {
      if (manifests.some(forDevelopment)) return []
      return settingsOf(manifests).PRODUCTION === 'true' ? [] : ['PRODUCTION is not true']
    },
    breach: (manifests) => {
      settingsOf(manifests).PRODUCTION = 'false'
    },
  },
  {
    claim: 'the services trust the tokens of the pages, and read the keys from the pages',
    faults: (manifests) =>
      pagesWithLogin(manifests).flatMap((it) => {
        const { login } = toPagesConfig(filledIn(environmentOf(manifests, mainOf(it))))
        const { TOKEN_ISSUER, TOKEN_JWKS_URL } = settingsOf(manifests)
        const [{ port }] = find(manifests, 'Service', 'web').spec.ports
        return [
          ...(login?.tokenIssuer === TOKEN_ISSUER ? [] : [`They do not trust ${login?.tokenIssuer}`]),
          ...(TOKEN_JWKS_URL === `http://web:${port}/.well-known/jwks.json` ? [] : ['They read other keys']),
        ]
      }),
    breach: (manifests) => {
      settingsOf(manifests).TOKEN_JWKS_URL = 'http://web:9080/.well-known/jwks.json'
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

/** The Deployment of the pages, if people log in. */
const pagesWithLogin = (manifests: Manifest[]): Manifest[] =>
  hasLogin(manifests) ? [find(manifests, 'Deployment', 'web')] : []

/** Values that must have a form. */
const examples: Record<string, string> = {
  TOKEN_KEY: JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })),
  SESSION_KEY: 'x'.repeat(32),
}

/** Fills in templates of ExternalSecrets with any word. */
const filledIn = (environment: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value.replaceAll(/\{\{.*?\}\}/g, examples[name] ?? 'x'),
    ]),
  )
