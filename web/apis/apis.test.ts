/** The operations of `web/apis/` are those of the documents in `openapi/`: what pages read is there, and what they send is accepted. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { active } from '../../actors/reservation/reservation.ts'
import { root } from '../../deploy/local/root.ts'
import { serviceNames } from '../../platform/config.ts'
import { activeStatuses, tones } from '../reservation.ts'
import { en } from '../words/en.ts'
import { ko } from '../words/ko.ts'
import type { Operation } from './call.ts'
import { channels, operations as notifier } from './notifier.ts'
import { operations as operators } from './operators.ts'
import { operations as reservation } from './reservation.ts'
import { operations as stock } from './stock.ts'

type Schema = {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  allOf?: Schema[]
}
type Media = { content?: Record<string, { schema: Schema }> }
type Documented = {
  operationId: string
  parameters?: { name: string; in: string }[]
  requestBody?: Media
  responses: Record<string, Media>
}
type Document = {
  paths: Record<string, Record<string, Documented>>
  components: { schemas: Record<string, Schema> }
}

const all: Record<(typeof serviceNames)[number], Record<string, Operation>> = { reservation, stock, notifier }
const documentOf = (service: string): Document =>
  JSON.parse(readFileSync(join(root, 'openapi', `${service}.json`), 'utf8'))

/** @returns the fields that one of them does not have. */
function unknown(document: Document, given: Schema, of: Schema, path = ''): string[] {
  const [it, other] = [resolve(document, given), resolve(document, of)]
  if (it.items && other.items) return unknown(document, it.items, other.items, `${path}[]`)
  return Object.entries(it.properties ?? {}).flatMap(([name, property]) => {
    const there = other.properties?.[name]
    return there ? unknown(document, property, there, `${path}.${name}`) : [`${path}.${name} does not exist`]
  })
}

/** @returns why a value of the one schema may not fit the other one. */
function misfits(document: Document, given: Schema, wanted: Schema, path = ''): string[] {
  const it = resolve(document, given)
  const other = resolve(document, wanted)
  if (it.anyOf) return it.anyOf.flatMap((option) => misfits(document, option, other, path))
  if (other.anyOf) {
    const attempts = other.anyOf.map((option) => misfits(document, it, option, path))
    // A value that may be null fits if each of its types fits an option.
    const types = typesOf(it).map((type) =>
      other.anyOf!.map((option) => misfits(document, { ...it, type }, option, path)),
    )
    const fits = (found: string[][]) => found.some((those) => those.length === 0)
    return fits(attempts) || types.every(fits) ? [] : attempts.flat()
  }
  const missing = typesOf(it).filter((type) => !typesOf(other).includes(type) && !isNumber(type, other))
  if (missing.length > 0) return [`${path} is ${typesOf(it)}, not ${typesOf(other)}`]
  const values = other.const === undefined ? other.enum : [other.const]
  const givenValues = it.const === undefined ? it.enum : [it.const]
  if (values && !givenValues?.every((value) => values.includes(value)))
    return [`${path} is ${givenValues?.join('|') ?? 'any text'}, not ${values.join('|')}`]
  const needed = (name: string) => other.required?.includes(name) ?? false
  const faults = Object.entries(other.properties ?? {}).flatMap(([name, property]) => {
    const there = it.properties?.[name]
    if (there && (it.required?.includes(name) || !needed(name)))
      return misfits(document, there, property, `${path}.${name}`)
    return there || needed(name) ? [`${path}.${name} may be absent`] : []
  })
  if (it.items && other.items) faults.push(...misfits(document, it.items, other.items, `${path}[]`))
  return faults
}

function resolve(document: Document, schema: Schema): Schema {
  const it = schema.$ref ? document.components.schemas[schema.$ref.split('/').at(-1)!]! : schema
  if (!it.allOf) return it
  const parts = it.allOf.map((part) => resolve(document, part))
  return {
    type: 'object',
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
    required: parts.flatMap(({ required }) => required ?? []),
  }
}
const typesOf = ({ type, properties, enum: values, const: value }: Schema): string[] =>
  type !== undefined
    ? [type].flat()
    : properties
      ? ['object']
      : [...new Set((values ?? [value]).map((it) => (it === null ? 'null' : typeof it)))]
const isNumber = (type: string, other: Schema) => type === 'integer' && typesOf(other).includes('number')

const toSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' }) as Schema

describe.each(serviceNames)('%s', (service) => {
  const document = documentOf(service)
  test.each(Object.entries({ ...all[service], ...operators } as Record<string, Operation>))(
    '%s',
    (operationId, operation) => {
      const { method, path, query = [], body, answer } = operation
      const documented = document.paths[path]?.[method.toLowerCase()]
      expect(documented?.operationId).toBe(operationId)
      const names = documented!.parameters?.filter((it) => it.in === 'query').map(({ name }) => name) ?? []
      expect(names).toEqual(expect.arrayContaining([...query]))
      const success = Object.entries(documented!.responses).filter(([status]) => status.startsWith('2'))
      const answers = success.flatMap(([, { content }]) => content?.['application/json']?.schema ?? [])
      const events = success.some(([, { content }]) => content?.['text/event-stream'])
      // The data of an event is a reservation, which the document cannot say.
      if (events) answers.push({ $ref: '#/components/schemas/Reservation' })
      for (const given of answers) {
        expect(misfits(document, given, toSchema(answer))).toEqual([])
        expect(unknown(document, toSchema(answer), given)).toEqual([])
      }
      const accepted = documented!.requestBody?.content?.['application/json']?.schema
      expect(accepted === undefined).toBe(body === undefined)
      if (accepted && body) {
        expect(misfits(document, toSchema(body), accepted)).toEqual([])
        expect(unknown(document, toSchema(body), accepted)).toEqual([])
      }
    },
  )
})

test('a field that is gone, may be absent or has another type is found', () => {
  const document = { paths: {}, components: { schemas: {} } }
  const given = toSchema(z.object({ a: z.string().nullable(), b: z.int().optional(), c: z.enum(['x', 'y']) }))
  const found = (wanted: z.ZodType) => [
    ...misfits(document, given, toSchema(wanted)),
    ...unknown(document, toSchema(wanted), given),
  ]
  expect(found(z.object({ a: z.string().nullable(), c: z.string() }))).toEqual([])
  expect(found(z.object({ a: z.string() }))).not.toEqual([])
  expect(found(z.object({ b: z.int() }))).not.toEqual([])
  expect(found(z.object({ b: z.int().optional() }))).toEqual([])
  expect(found(z.object({ c: z.enum(['x']) }))).not.toEqual([])
  expect(found(z.object({ d: z.string() }))).not.toEqual([])
})

const sorted = (words: Record<string, unknown>) => Object.keys(words).toSorted()

/** @returns where one of them has words, or texts in place of words, and the other has not. */
function differences(one: unknown, other: unknown, path = ''): string[] {
  if (typeof one !== typeof other) return [path]
  if (typeof one !== 'object' || one === null || other === null) return []
  const [these, those] = [one, other] as Record<string, unknown>[]
  const names = new Set([...Object.keys(these!), ...Object.keys(those!)])
  return [...names].flatMap((name) => differences(these![name], those![name], `${path}.${name}`))
}

test('both languages have the same words', () => {
  expect(differences({ a: { b: '' } }, { a: { c: '' } })).toEqual(['.a.b', '.a.c'])
  expect(differences(en, ko)).toEqual([])
})

test('each status of a reservation has its tone and words, and each reason its words', () => {
  const { properties } = documentOf('reservation').components.schemas.Reservation!
  const { reservation: words } = en
  const statuses = properties!.status!.enum!.toSorted()
  expect(sorted(tones)).toEqual(statuses)
  expect(sorted(words.status)).toEqual(statuses)
  // Failed is explained by its reason.
  expect([...sorted(words.text), 'Failed'].toSorted()).toEqual(statuses)
  const reasons = properties!.reason!.enum!.filter((it) => it !== null)
  expect(sorted(words.reason)).toEqual(reasons.toSorted())
})

test('a reservation is active for pages while it is for the reservation service', () => {
  expect(activeStatuses.toSorted()).toEqual(active.toSorted())
})

test('a customer can choose each channel of the document, and each has its words', () => {
  const { Contact } = documentOf('notifier').components.schemas
  const documented = Contact!.properties!.channels!.items!.enum!.toSorted()
  expect(channels.toSorted()).toEqual(documented)
  expect(sorted(en.settings.channel)).toEqual(documented)
})

test('each kind, status and channel that operators see has its words', () => {
  const { notices, notice, letters, kinds, channel } = en.ops
  const { schemas } = documentOf('notifier').components
  const values = (schema: string, property: string) =>
    schemas[schema]!.properties![property]!.enum!.toSorted()
  expect(sorted(notices.kind)).toEqual(values('Notice', 'kind'))
  expect(sorted(notices.status)).toEqual(values('Notice', 'status'))
  expect(sorted(channel)).toEqual(values('Notice', 'channel'))
  expect(sorted(notice.outcome)).toEqual(values('Attempt', 'outcome'))
  expect(sorted(letters.status)).toEqual(values('DeadLetter', 'status'))
  const backlogs = serviceNames.flatMap(
    (it) => documentOf(it).components.schemas.BacklogItem!.properties!.name!.enum!,
  )
  expect(sorted(kinds)).toEqual(backlogs.toSorted())
})
