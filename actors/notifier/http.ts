/** The notifier's HTTP face: customers say how they want to be told, operators see what was told. */
import { isIP } from 'node:net'
import { createRoute, z } from '@hono/zod-openapi'
import type { Sql } from '../../streams/postgres.ts'
import type { App } from '../http/app.ts'
import {
  collection,
  collectionSchema,
  decodeAfter,
  encodeAfter,
  pageQuery,
  selfLink,
  selfSchema,
} from '../http/paging.ts'
import { Problem, problemResponses, within } from '../http/problem.ts'
import { idSchema } from '../messages.ts'
import { isPublicAddress } from './channels/public-address.ts'
import { type Customer, readCustomer, writeCustomer } from './customers.ts'
import { channelNames, kinds, statuses } from './notice.ts'
import { listNotices, type NoticeRow, readNotice } from './notices.ts'
import { defaultLocale } from './templates/message.ts'

export type NotifierHttpOptions = {
  app: App
  sql: Sql
  /** Customers' webhooks may be http and have private addresses. */
  allowPrivate: boolean
}

const customerSchema = z
  .object({
    userid: z.string(),
    email: z.string().nullable(),
    webhook: z.string().nullable(),
    locale: z.string(),
    updatedAt: z.iso.datetime(),
    _links: selfSchema,
  })
  .openapi('Customer')

const noticeSchema = z
  .object({
    noticeid: z.uuid(),
    kind: z.enum(kinds),
    channel: z.enum(channelNames),
    userid: z.string().nullable().openapi({ description: 'null: the notice is for the purchaser' }),
    bookid: z.string(),
    reservationid: z.uuid().nullable(),
    reason: z.string().nullable().openapi({ description: 'why a reservation failed' }),
    shortage: z.int().nullable().openapi({ description: 'copies that a purchase request asks for' }),
    status: z.enum(statuses).openapi({
      description:
        'superseded: it was overtaken by a cancellation before it was told, and is not told any more',
    }),
    attempts: z.int(),
    lastError: z.string().nullable(),
    createdAt: z.iso.datetime(),
    sentAt: z.iso.datetime().nullable(),
    _links: selfSchema,
  })
  .openapi('Notice')

const ok = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

const params = z.object({ userid: idSchema })

const getCustomer = createRoute({
  method: 'get',
  path: '/customers/{userid}',
  summary: 'How a customer is told',
  tags: ['customer'],
  request: { params },
  responses: { 200: ok(customerSchema, 'The contact'), ...problemResponses(404) },
})

const putCustomer = (allowPrivate: boolean) =>
  createRoute({
    method: 'put',
    path: '/customers/{userid}',
    summary: 'Say how a customer is to be told',
    description:
      'Replaces the contact as a whole: what is left out is forgotten. Concerns outcomes from now on.',
    tags: ['customer'],
    request: {
      params,
      body: { content: { 'application/json': { schema: contactSchema(allowPrivate) } }, required: true },
    },
    responses: {
      200: ok(customerSchema, 'The contact, replaced'),
      201: { ...ok(customerSchema, 'The contact, new'), headers: z.object({ location: z.string() }) },
    },
  })

const getNotices = createRoute({
  method: 'get',
  path: '/notices',
  summary: 'What was told, and what is still to be told',
  tags: ['operator'],
  request: {
    query: z.object({ ...pageQuery, userid: idSchema.optional(), status: z.enum(statuses).optional() }),
  },
  responses: { 200: ok(collectionSchema('notices', noticeSchema), 'A page, newest first') },
})

const getNotice = createRoute({
  method: 'get',
  path: '/notices/{noticeid}',
  summary: 'One notice',
  tags: ['operator'],
  request: { params: z.object({ noticeid: z.uuid() }) },
  responses: { 200: ok(noticeSchema, 'The notice'), ...problemResponses(404) },
})

export function mountNotifier({ app, sql, allowPrivate }: NotifierHttpOptions): void {
  app.openapi(putCustomer(allowPrivate), async (c) => {
    const { userid } = c.req.valid('param')
    const { email = null, webhook = null, locale } = c.req.valid('json')
    const { customer, created } = await answered(writeCustomer(sql, userid, { email, webhook, locale }))
    const body = toCustomer(customer)
    return created ? c.json(body, 201, { location: body._links.self.href }) : c.json(body, 200)
  })

  app.openapi(getCustomer, async (c) => {
    const customer = await answered(readCustomer(sql, c.req.valid('param').userid))
    return c.json(toCustomer(customer ?? notFound('This customer left no contact.')), 200)
  })

  app.openapi(getNotices, async (c) => {
    const { limit, after, userid, status } = c.req.valid('query')
    const before = after === undefined ? undefined : sequenceFrom(after)
    const rows = await answered(listNotices(sql, { userid, status, before, limit: limit + 1 }))
    const shown = rows.slice(0, limit)
    const next = rows.length > limit ? encodeAfter([String(shown.at(-1)!.seq)]) : undefined
    return c.json(collection('notices', c, shown.map(toNotice), next), 200)
  })

  app.openapi(getNotice, async (c) => {
    const notice = await answered(readNotice(sql, c.req.valid('param').noticeid))
    return c.json(toNotice(notice ?? notFound('There is no such notice.')), 200)
  })
}

/** How long a request waits for the database. */
const answeredWithinMs = 1_500
const answered = <T>(rows: Promise<T>): Promise<T> => within(answeredWithinMs, 'reach the database', rows)

const contactSchema = (allowPrivate: boolean) =>
  z
    .object({
      email: z.email().max(254).nullish(),
      webhook: webhookSchema(allowPrivate).nullish(),
      locale: z
        .string()
        .max(35)
        .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, 'must be a language tag like ko or en-GB')
        .default(defaultLocale)
        .openapi({ description: 'BCP 47; we speak ko and en' }),
    })
    .openapi('Contact')

/** What can be told from the text. Where the name leads is checked at each call. */
const webhookSchema = (allowPrivate: boolean) =>
  z
    .string()
    .max(2_048)
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
    .refine((text) => isWebhook(text, allowPrivate), {
      message: allowPrivate
        ? 'must be an http or https URL without credentials'
        : 'must be an https URL of a public host, without credentials',
    })
    .openapi({ format: 'uri', example: 'https://chat.example/hook' })

function isWebhook(text: string, allowPrivate: boolean): boolean {
  const url = URL.parse(text)
  if (!url || url.username || url.password) return false
  if (allowPrivate) return url.protocol === 'https:' || url.protocol === 'http:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return url.protocol === 'https:' && (isIP(host) ? isPublicAddress(host) : host.includes('.'))
}

function notFound(detail: string): never {
  throw new Problem('not-found', { detail })
}

function sequenceFrom(after: string): number {
  const seq = Number(decodeAfter(after, 1)[0])
  if (Number.isSafeInteger(seq)) return seq
  throw new Problem('invalid-input', {
    errors: [{ parameter: 'after', detail: 'must be taken from _links.next of an earlier page' }],
  })
}

const toCustomer = ({ updatedAt, ...customer }: Customer) => ({
  ...customer,
  updatedAt: updatedAt.toISOString(),
  _links: selfLink(`/customers/${encodeURIComponent(customer.userid)}`),
})

const toNotice = ({ seq: _, createdAt, sentAt, ...notice }: NoticeRow) => ({
  ...notice,
  createdAt: createdAt.toISOString(),
  sentAt: sentAt?.toISOString() ?? null,
  _links: selfLink(`/notices/${notice.noticeid}`),
})
