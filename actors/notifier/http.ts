/** The notifier's HTTP face: customers say how they want to be told; the operators' part is in `notices-http.ts` and `alerts-http.ts`. */
import { isIP } from 'node:net'
import { createRoute, z } from '@hono/zod-openapi'
import type { Sql } from '../../streams/postgres.ts'
import type { App } from '../http/app.ts'
import { selfLink, selfSchema } from '../http/paging.ts'
import { Problem, problemResponses } from '../http/problem.ts'
import { isMaskedUrl, maskUrl } from '../mask.ts'
import { idSchema } from '../messages.ts'
import { mountAlerts } from './alerts-http.ts'
import type { Told } from './channels/console.ts'
import { isPublicAddress } from './channels/public-address.ts'
import { type Customer, readCustomer, writeCustomer } from './customers.ts'
import { personalChannels } from './notice.ts'
import { mountNotices } from './notices-http.ts'
import { mountPreviews } from './previews-http.ts'
import { addressNeeded, type Routing } from './routing.ts'

export type NotifierHttpOptions = {
  app: App
  sql: Sql
  /** Customers' webhooks may be http and have private addresses. */
  allowPrivate: boolean
  routing: Routing
  /** What whoever posts alerts has to show; without it none are taken. */
  alertToken?: string | undefined
  /** Tells alerts on the console. */
  tell?(notices: Told[]): void
  /** Told when notices became due. */
  ring?(): void
}

const shownAs =
  'What follows the host is a secret of the customer, and is never shown. Written back as it is shown, the webhook stays as it is.'

const customerSchema = z
  .object({
    userid: z.string(),
    email: z.string().nullable(),
    webhook: z.string().nullable().openapi({ description: shownAs, example: 'https://chat.example/***' }),
    phone: z.string().nullable(),
    locale: z.string(),
    channels: z
      .array(z.enum(personalChannels))
      .nullable()
      .openapi({ description: 'in order of preference; null: as the library has it' }),
    updatedAt: z.iso.datetime(),
    _links: selfSchema,
  })
  .openapi('Customer')

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

const putCustomer = (allowPrivate: boolean, locale: string) =>
  createRoute({
    method: 'put',
    path: '/customers/{userid}',
    summary: 'Say how a customer is to be told',
    description:
      'Replaces the contact as a whole: what is left out is forgotten. Concerns outcomes from now on.',
    tags: ['customer'],
    request: {
      params,
      body: {
        content: { 'application/json': { schema: contactSchema(allowPrivate, locale) } },
        required: true,
      },
    },
    responses: {
      200: ok(customerSchema, 'The contact, replaced'),
      201: { ...ok(customerSchema, 'The contact, new'), headers: z.object({ location: z.string() }) },
    },
  })

export function mountNotifier({
  app,
  sql,
  allowPrivate,
  routing,
  alertToken,
  tell = () => {},
  ring = () => {},
}: NotifierHttpOptions): void {
  app.openapi(putCustomer(allowPrivate, routing.locale), async (c) => {
    const { userid } = c.req.valid('param')
    const { email = null, webhook: given = null, phone = null, channels = null, locale } = c.req.valid('json')
    const webhook = given !== null && isMaskedUrl(given) ? await webhookShownAs(given, userid) : given
    const contact = { email, webhook, phone, channels, locale }
    const { customer, created } = await writeCustomer(sql, userid, contact)
    const body = toCustomer(customer)
    return created ? c.json(body, 201, { location: body._links.self.href }) : c.json(body, 200)
  })

  /** @throws {Problem} when the customer's webhook is none that is shown so: it would be called where nobody listens. */
  async function webhookShownAs(shown: string, userid: string): Promise<string> {
    const webhook = (await readCustomer(sql, userid))?.webhook
    if (webhook && maskUrl(webhook) === shown) return webhook
    const detail = 'is what is shown of a webhook, and not of the present one: give its whole URL'
    throw new Problem('invalid-input', { errors: [{ pointer: '/webhook', detail }] })
  }

  app.openapi(getCustomer, async (c) => {
    const customer = await readCustomer(sql, c.req.valid('param').userid)
    return c.json(toCustomer(customer ?? notFound('This customer left no contact.')), 200)
  })

  mountNotices({ app, sql, routing, ring })
  mountAlerts({ app, sql, routing, token: alertToken, tell, ring })
  mountPreviews(app)
}

const contactSchema = (allowPrivate: boolean, defaultLocale: string) =>
  z
    .object({
      email: z.email().max(254).nullish(),
      webhook: webhookSchema(allowPrivate).nullish(),
      phone: phoneSchema.nullish(),
      channels: channelsSchema.nullish(),
      locale: z
        .string()
        .max(35)
        .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, 'must be a language tag like ko or en-GB')
        .default(defaultLocale)
        .openapi({ description: 'BCP 47; we speak ko and en' }),
    })
    .superRefine((contact, context) => {
      for (const [index, channel] of (contact.channels ?? []).entries()) {
        const address = addressNeeded[channel]
        if (contact[address] == null)
          context.addIssue({
            code: 'custom',
            path: ['channels', index],
            message: `${channel} needs a ${address}`,
          })
      }
    })
    .openapi('Contact')

/** As people write them; kept as E.164. */
const phoneSchema = z
  .string()
  .max(40)
  .transform((text) => text.replaceAll(/[ .()-]/g, ''))
  .pipe(
    z.string().regex(/^\+[1-9]\d{6,14}$/, 'must be a phone number with its country, like +82 10-1234-5678'),
  )
  .openapi({ type: 'string', example: '+82 10-1234-5678' })

const channelsSchema = z
  .array(z.enum(personalChannels))
  .max(personalChannels.length)
  .refine((names) => new Set(names).size === names.length, 'must name each channel once')
  .openapi({
    description: 'In order of preference: the first tells, those behind it when one before refuses for good.',
    example: ['kakao', 'email'],
  })

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

const toCustomer = ({ updatedAt, webhook, ...customer }: Customer) => ({
  ...customer,
  webhook: webhook && maskUrl(webhook),
  updatedAt: updatedAt.toISOString(),
  _links: selfLink(`/customers/${encodeURIComponent(customer.userid)}`),
})
