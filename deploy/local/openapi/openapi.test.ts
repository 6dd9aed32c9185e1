/** `openapi/` is what the routes say: `npm run docs` writes it. */
import { readFile } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import packageJson from '../../../package.json' with { type: 'json' }
import { serviceNames } from '../../../platform/config.ts'
import { documentOf } from './documents.ts'
import { advice, breaksSince, documentFile, madeFrom, toText, typesFile } from './write.ts'

type Media = { schema?: object; example?: unknown; examples?: Record<string, { value: unknown }> }
type Response = { $ref?: string; content?: Record<string, Media> }
type Operation = {
  operationId: string
  summary: string
  tags: string[]
  parameters?: { name: string }[]
  requestBody?: { content: Record<string, Media & { schema: { $ref?: string } }> }
  responses: Record<string, Response>
  security?: object[]
}
type Document = {
  info: { version: string }
  security: object[]
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object>; responses: Record<string, Response> }
}

describe.each(serviceNames)('of %s', (service) => {
  const document = documentOf(service) as Document
  const calls = Object.values(document.paths).flatMap(Object.values<Operation>)

  test('no change breaks a client', async () => {
    expect(await breaksSince(service), advice).toEqual([])
  })

  test('the document and the types are up to date', async () => {
    const text = await readFile(documentFile(service), 'utf8')
    const types = await readFile(typesFile(service), 'utf8')
    expect(text === toText(document), `${service}.json is out of date: npm run docs`).toBe(true)
    expect(types.startsWith(madeFrom(text)), `${service}.ts is out of date: npm run docs`).toBe(true)
  })

  test('every call has a name of its own, and a declared tag', () => {
    expect(document.info.version).toBe(packageJson.version)
    const names = calls.map((it) => it.operationId)
    expect(names).not.toContain(undefined)
    expect(new Set(names).size).toBe(names.length)
    expect([...new Set(calls.flatMap((it) => it.tags))].sort()).toEqual(
      document.tags.map((it) => it.name).sort(),
    )
  })

  test('every body has a name, and every problem is shared', () => {
    for (const { operationId, requestBody, responses, tags } of calls) {
      for (const { schema } of Object.values(requestBody?.content ?? {}))
        expect(schema.$ref, operationId).toMatch(/^#\/components\/schemas\/\w+$/)
      for (const [status, response] of Object.entries(responses)) {
        const what = `${operationId} ${status}`
        if (Number(status) >= 400) expect(response, what).toEqual({ $ref: expect.any(String) })
        else if (response.content && !tags.includes('health'))
          expect(Object.values(response.content)[0]!.schema, what).toEqual({ $ref: expect.any(String) })
      }
    }
  })

  test('every body has an example that its schema accepts', () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true })
    ;(addFormats as unknown as (ajv: Ajv2020) => void)(ajv)
    const contents = [...calls.flatMap((it) => [it.requestBody, ...Object.values(it.responses)])]
    const all = [...contents, ...Object.values(document.components.responses)]
    for (const { schema, example, examples } of all.flatMap((it) => Object.values(it?.content ?? {}))) {
      const shown = examples ? Object.values(examples).map(({ value }) => value) : [example]
      expect(shown.length).toBeGreaterThan(0)
      const accepts = ajv.compile({ ...schema, components: document.components })
      for (const it of shown)
        expect(accepts(it), `${JSON.stringify(it)} ${JSON.stringify(accepts.errors)}`).toBe(true)
    }
  })
})

test('alerts need their own token, and what is not open to anyone a role where identity is on', () => {
  const calls = serviceNames.flatMap((service) => {
    const document = documentOf(service) as Document
    expect(document.security).toEqual([])
    return Object.values(document.paths).flatMap(Object.values<Operation>)
  })
  const open = calls.filter((it) => !it.security).map((it) => it.operationId)
  expect([...new Set(open)]).toEqual(['listBooks', 'getBook', 'getLiveness', 'getReadiness'])
  for (const { operationId, security, responses } of calls.filter((it) => it.security)) {
    if (operationId === 'postAlerts') expect(security).toEqual([{ alertToken: [] }])
    else
      expect(security, operationId).toEqual([
        {},
        ...security!.slice(1).map(() => ({ token: [expect.any(String)] })),
      ])
    expect(Object.keys(responses), operationId).toContain('401')
  }
})
