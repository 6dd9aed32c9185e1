/** The OpenAPI document of every service is valid and complete, and can be read as a page. */
import { readFile } from 'node:fs/promises'
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { documentFile } from '../deploy/local/openapi/write.ts'
import { serviceNames } from '../platform/config.ts'
import type { OpenApi } from './harness/contract.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem()

const ofOperators = [
  'GET /partitions',
  'GET /dead-letters',
  'GET /dead-letters/{*}',
  'POST /dead-letters/{*}/redrive',
  'POST /dead-letters/redrive',
  'DELETE /dead-letters/{*}',
  'GET /backlog',
]

const promised: Record<(typeof serviceNames)[number], string[]> = {
  reservation: [
    'GET /audit',
    'GET /books',
    'GET /books/{*}',
    'POST /reservations',
    'GET /reservations',
    'GET /reservations/{*}',
    'PATCH /reservations/{*}',
    'GET /reservations/{*}/events',
    'GET /reservations/events',
    'GET /standings/{*}',
    'PUT /standings/{*}/block',
    'DELETE /standings/{*}/block',
    'GET /standings/{*}/export',
    'DELETE /standings/{*}',
    ...ofOperators,
  ],
  stock: [
    'GET /audit',
    'POST /stocks',
    'GET /stocks',
    'GET /stocks/{*}',
    'GET /stocks/{*}/movements',
    'GET /purchase-requests',
    'POST /purchases',
    'GET /purchases',
    'GET /purchases/{*}',
    'PUT /stocks/{*}/rules',
    'GET /stocks/{*}/queue',
    'GET /holds/{*}',
    'PATCH /holds/{*}',
    'GET /tasks',
    'POST /withdrawals',
    'POST /purchase-requests/{*}/decline',
    'GET /closing-days',
    'GET /closing-days/{*}',
    'PUT /closing-days/{*}',
    'DELETE /closing-days/{*}',
    ...ofOperators,
  ],
  notifier: [
    'GET /audit',
    'PUT /customers/{*}',
    'GET /customers/{*}',
    'GET /customers/{*}/export',
    'DELETE /customers/{*}',
    'GET /notices',
    'GET /notices/{*}',
    'PATCH /notices/{*}',
    'GET /alerts',
    'POST /alerts',
    ...ofOperators,
  ],
}

const documentOf = async (service: (typeof serviceNames)[number]): Promise<OpenApi> => {
  const response = await fetch(`${system().opsUrl(service)}/openapi.json`)
  expect(response.headers.get('content-type')).toMatch(/^application\/(\w+\+)?json/)
  return (await response.json()) as OpenApi
}

test.each(serviceNames)('the document of %s is valid OpenAPI 3.1', async (service) => {
  const document = await documentOf(service)
  expect(document.openapi).toMatch(/^3\.1\./)
  const { valid, errors } = await new Validator().validate(document as unknown as Record<string, unknown>)
  expect(errors ?? []).toEqual([])
  expect(valid).toBe(true)
})

test.each(serviceNames)('%s serves its document in openapi/', async (service) => {
  const inGit = JSON.parse(await readFile(documentFile(service), 'utf8'))
  expect({ ...(await documentOf(service)), servers: inGit.servers }).toEqual(inGit)
})

test.each(serviceNames)('the document of %s contains every promised route', async (service) => {
  const { paths } = await documentOf(service)
  const named = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{[^}]+\}/g, '{*}')}`),
  )
  expect(named).toEqual(expect.arrayContaining(promised[service]))
})

test('the documents describe nullable fields, instants and the events of a stream', async () => {
  const { components } = (await documentOf('notifier')) as unknown as Components
  const contact = components.schemas.Contact!.properties
  for (const name of ['email', 'webhook', 'phone', 'channels'])
    expect(contact[name]!.type, name).toContain('null')
  expect(components.schemas.Alert!.properties.startsAt!.format).toBe('date-time')
  const { components: own } = (await documentOf('reservation')) as unknown as Components
  expect(Object.keys(own.schemas.ReservationEvent!.properties)).toEqual(['event', 'id', 'data', 'retry'])
})

type Property = { type: string | string[]; format?: string }
type Components = { components: { schemas: Record<string, { properties: Record<string, Property> }> } }

test.each(serviceNames)('the reference page of %s loads nothing from other hosts', async (service) => {
  const response = await fetch(`${system().opsUrl(service)}/docs`)
  expect(response.status).toBe(200)
  const page = await response.text()
  const scripts = [...page.matchAll(/<(?:script|link)[^>]*(?:src|href)="([^"]+)"/g)].map(([, url]) => url!)
  expect(scripts.filter((url) => /^(https?:)?\/\//.test(url))).toEqual([])
  for (const url of scripts.filter((url) => url.startsWith('/'))) {
    expect((await fetch(`${system().opsUrl(service)}${url}`)).status, url).toBe(200)
  }
})

test.each(serviceNames)('%s answers its probes and exposes its metrics', async (service) => {
  for (const path of ['/livez', '/readyz', '/startupz']) {
    expect((await fetch(`${system().opsUrl(service)}${path}`)).status, path).toBe(200)
  }
  const metrics = await fetch(`${system().opsUrl(service)}/metrics`)
  expect(metrics.headers.get('content-type')).toMatch(/^text\/plain/)
  expect(await metrics.text()).toMatch(/^# HELP /m)
})
