/** `asyncapi.yaml` describes exactly the messages that cross the streams. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { type CloudEvent, HTTP } from 'cloudevents'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { stockCommandSchema, stockEventSchema, topics } from '../actors/messages.ts'
import { type Envelope, envelopeSchema, toBatch } from '../streams/envelope.ts'
import { cancel, receive, reserveAndWait } from './harness/acts.ts'
import { Producer } from './harness/producer.ts'
import { root } from './harness/service-process.ts'
import { startOwnSystem } from './harness/system.ts'

type Schema = { [key: string]: unknown }
type Ref = { $ref: string }
type Document = {
  channels: Record<string, { messages: Record<string, Ref> }>
  operations: Record<string, { action: 'send' | 'receive'; channel: Ref; messages?: Ref[] }>
  components: { messages: Record<string, { headers: Ref; payload: Ref }>; schemas: Record<string, Schema> }
}

const document: Document = parse(readFileSync(`${root}asyncapi.yaml`, 'utf8'))
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true })
;(addFormats as unknown as (ajv: Ajv) => void)(ajv)

const options = { stockMailbox: stockCommandSchema.options, stockEvents: stockEventSchema.options }
const typeOf = (option: { shape: { type: { value: string } } }) => option.shape.type.value

/** Consumers know these events; stock does not send them yet. */
const onlyWithRules = [
  'ReservationQueued',
  'CopyShelved',
  'PickupExtended',
  'CopyHandedOver',
  'CopyReturned',
  'HoldExpired',
  'CopyTakenBack',
  'PurchaseDeclined',
  'CopiesWithdrawn',
  'RulesChanged',
  'CommandRefused',
]

test('the document is valid AsyncAPI 3.0', () => {
  const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json')
  const validate = ajv.compile(schema)
  expect(validate(document), JSON.stringify(validate.errors?.slice(0, 5))).toBe(true)
})

describe.each(['stockMailbox', 'stockEvents'] as const)('%s', (channel) => {
  test('carries exactly the documented messages', () => {
    const names = options[channel].map(typeOf).sort()
    expect(Object.keys(document.channels[channel]!.messages).sort()).toEqual(names)
  })

  test('is read by exactly the documented services', () => {
    const readers = Object.entries(document.operations)
      .filter(([, { action, channel: its }]) => action === 'receive' && its.$ref === `#/channels/${channel}`)
      .map(([name]) => name.split('-')[0]!)
    expect(readers.sort()).toEqual([...topics[channel].consumers].sort())
  })

  test.each(options[channel].map((option) => [typeOf(option), option] as const))(
    '%s has the documented payload',
    (name, option) => {
      const { payload, headers } = document.components.messages[name]!
      expect(payload.$ref).toBe(`#/components/schemas/${name}`)
      expect(headers.$ref).toBe('#/components/schemas/Envelope')
      // The type is an attribute of the envelope.
      expect(documented(name)).toEqual(toSchema((option as z.ZodObject).omit({ type: true })))
    },
  )
})

test('the envelope has the documented attributes', () => {
  expect(documented('Envelope')).toEqual(toSchema(envelopeSchema.omit({ data: true })))
})

test('the messages that services send conform to the document, and to the SDK of CloudEvents', async (context) => {
  await using system = await startOwnSystem(context, { notifier: 0, partitions: 2 })
  await receive(system, 'a', 1)
  const { reservationid } = await reserveAndWait(system.reservation, 'a', 'ann')
  await reserveAndWait(system.reservation, 'a', 'ben')
  await cancel(system.reservation, reservationid)
  const now = await system.reservation.post<{ reservationid: string }>('/reservations', {
    bookid: 'a',
    userid: 'cem',
    wait: false,
  })
  const cause = { cause: 'CustomerAsked', note: '전화로 취소' }
  const canceled = await system.reservation.patch(`/reservations/${now.body.reservationid}`, {
    status: 'Canceled',
    ...cause,
  })
  expect(canceled.body).toMatchObject(cause)
  const purchase = await system.stock.post<{ purchaseid: string }>('/purchases', { bookid: 'a', qty: 2 })
  const { purchaseid } = purchase.body
  await system.stock.post('/stocks', {
    bookid: 'a',
    qty: 2,
    title: '책',
    author: 'Kim',
    isbn: '1',
    purchaseid,
  })

  await using producer = new Producer(system)
  const seen = [
    ...(await producer.messages(producer.mailboxOf('a'))),
    ...(await producer.messages(producer.eventsOf('a'))),
  ]
  const types = [...options.stockMailbox.map(typeOf), ...options.stockEvents.map(typeOf)]
  const sent = types.filter((it) => !onlyWithRules.includes(it))
  expect([...new Set(seen.map(({ type }) => type))].sort()).toEqual(sent.sort())
  const reserves = seen.filter(({ type }) => type === 'ReserveCopy')
  expect(reserves.map(({ data }) => data.wait)).toEqual([undefined, undefined, false])
  const releases = seen.filter(({ type }) => type === 'ReleaseCopy')
  expect(releases.map(({ data: { cause, note } }) => ({ cause, note }))).toEqual([{}, cause])
  for (const { data, ...envelope } of seen) {
    conforms('Envelope', envelope)
    conforms(envelope.type, data)
    expect(envelope.subject).toBe('a')
  }
  // The SDK keeps milliseconds.
  expect(readBySdk(seen)).toEqual(seen.map((it) => ({ ...it, time: new Date(it.time).toJSON() })))
})

/** @returns the messages as a client reads them that uses the SDK of CloudEvents. @throws when it refuses one. */
function readBySdk(messages: Envelope[]): unknown[] {
  const headers = { 'content-type': 'application/cloudevents-batch+json' }
  const events = HTTP.toEvent({ headers, body: toBatch(messages) }) as CloudEvent[]
  expect(events.filter((event) => !event.validate())).toEqual([])
  return events.map((event) => event.toJSON())
}

/** The schema with its references resolved, without descriptions. */
function documented(name: string): Schema {
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve)
    if (typeof value !== 'object' || value === null) return value
    if ('$ref' in value) return documented((value as Ref).$ref.split('/').at(-1)!)
    const { description: _, ...rest } = value as Schema
    return Object.fromEntries(Object.entries(rest).map(([key, its]) => [key, resolve(its)]))
  }
  return sorted(resolve(document.components.schemas[name]) as Schema)
}

/** The schema for senders: receivers ignore unknown fields. */
function toSchema(schema: z.ZodType): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' })
  return sorted(rest as Schema)
}

const sorted = (schema: Schema): Schema =>
  Array.isArray(schema.required) ? { ...schema, required: [...schema.required].sort() } : schema

function conforms(name: string, value: unknown): void {
  const validate: ValidateFunction = ajv.compile(documented(name))
  expect(validate(value), `${name} ${JSON.stringify(value)}: ${JSON.stringify(validate.errors)}`).toBe(true)
}
