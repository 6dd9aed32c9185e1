/** `asyncapi.yaml` describes exactly the messages that cross the streams. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { stockCommandSchema, stockEventSchema, topics } from '../actors/messages.ts'
import { envelopeSchema } from '../streams/envelope.ts'
import { cancel, receive, reserveAndWait } from './harness/acts.ts'
import { Producer } from './harness/producer.ts'
import { root } from './harness/service-process.ts'
import { type System, startOwnSystem } from './harness/system.ts'

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

/** Sent when a day has passed, by a queue of more than 200, or of old holds: `tests/library.test.ts`, `actors/stock/clock.test.ts`. */
const sentLater = ['ExpireHold', 'LapseWait', 'TendQueue', 'ClaimHold', 'HoldExpired']

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

test('the messages that services send conform to the document, and to CloudEvents 1.0', async (context) => {
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
  await playDesk(system)

  await using producer = new Producer(system)
  const seen = [
    ...(await producer.messages(producer.mailboxOf('a'))),
    ...(await producer.messages(producer.eventsOf('a'))),
    ...(await producer.messages(producer.mailboxOf('b'))),
    ...(await producer.messages(producer.eventsOf('b'))),
  ]
  const types = [...options.stockMailbox.map(typeOf), ...options.stockEvents.map(typeOf)]
  const sent = types.filter((it) => !sentLater.includes(it))
  expect([...new Set(seen.map(({ type }) => type))].sort()).toEqual(sent.sort())
  const reserves = seen.filter((it) => it.type === 'ReserveCopy' && it.subject === 'a')
  expect(reserves.map(({ data }) => data.wait)).toEqual([undefined, undefined, false])
  const releases = seen.filter((it) => it.type === 'ReleaseCopy' && it.subject === 'a')
  expect(releases.map(({ data: { cause, note } }) => ({ cause, note }))).toEqual([{}, cause])
  for (const { data, ...envelope } of seen) {
    conforms('Envelope', envelope)
    conforms(envelope.type, data)
    expect(envelope.subject).toMatch(/^[ab]$/)
    expect(isCloudEvent(envelope), JSON.stringify([envelope, isCloudEvent.errors])).toBe(true)
  }
})

/** Staff's commands, for a book with rules in another partition. */
async function playDesk(system: System): Promise<void> {
  const { stock, reservation } = system
  await receive(system, 'b', 1)
  await stock.put('/stocks/b/rules', { queueMax: 5, lend: true })
  const ann = await reserveAndWait(reservation, 'b', 'ann')
  const ben = await reserveAndWait(reservation, 'b', 'ben')
  const desk = ({ reservationid }: typeof ann, change: object) =>
    stock.patch(`/holds/${reservationid}`, change)
  await stock.put('/stocks/b/rules', { queueMax: 5, lend: true, pullStep: true })
  await desk(ann, { pickupBy: '2099-01-01T09:00:00Z' })
  await desk(ann, { status: 'Collected' })
  await desk(ann, { status: 'Returned' })
  await desk(ben, { status: 'Ready' })
  await desk(ben, { status: 'Waiting', cause: 'Lost' })
  for (let times = 0; times < 2; times++) await stock.post('/purchase-requests/b/decline', { note: 'no' })
}

/**
 * The attributes of an event, by the specification rather than by our schema.
 * Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes
 */
const isCloudEvent = ajv.compile({
  type: 'object',
  required: ['id', 'source', 'specversion', 'type'],
  properties: {
    id: { type: 'string', minLength: 1 },
    source: { type: 'string', minLength: 1, format: 'uri-reference' },
    specversion: { const: '1.0' },
    type: { type: 'string', minLength: 1 },
    subject: { type: 'string', minLength: 1 },
    time: { type: 'string', format: 'date-time' },
  },
  propertyNames: { pattern: '^[a-z0-9]+$' },
  additionalProperties: { type: ['string', 'boolean', 'integer'] },
})

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
