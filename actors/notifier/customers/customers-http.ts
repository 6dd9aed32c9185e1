/** Lets customers set how they are notified. */
import { z } from '@hono/zod-openapi'
import { emailRule, parseEmail, parsePhone, phoneRule } from '../../../platform/addresses.ts'
import { selfLink, selfSchema } from '../../../platform/http/paging.ts'
import { Problem, problemResponses } from '../../../platform/http/problem.ts'
import { jsonHeaders, reply } from '../../../platform/http/reply.ts'
import { jsonAnswer, jsonBody, routesOf } from '../../../platform/http/route.ts'
import { customerOf, ownOf, whoOf } from '../../../platform/identity/caller.ts'
import { isMaskedUrl, maskText, maskUrl } from '../../../platform/mask.ts'
import { idSchema } from '../../messages.ts'
import { addressNeeded, personalChannels } from '../channels/all.ts'
import { parseWebhook } from '../channels/webhook-url.ts'
import * as examples from '../examples.ts'
import type { NotifierHttpOptions } from '../http-options.ts'
import { type Customer, readCustomer, writeCustomer } from './customers.ts'

const routes = routesOf('customer')

const shownAs =
  "Everything after the host is the customer's secret and is never shown. Writing the shown value back keeps the webhook unchanged."

export const customerSchema = z
  .object({
    userid: z.string(),
    email: z.string().nullable(),
    webhook: z.string().nullable().openapi({ description: shownAs, example: 'https://chat.example/***' }),
    phone: z.string().nullable(),
    locale: z.string(),
    channels: z
      .array(z.enum(personalChannels))
      .nullable()
      .describe("In order of preference. `null`: the library's default"),
    updatedAt: z.iso.datetime(),
    _links: selfSchema,
  })
  .openapi('Customer')

const params = z.object({ userid: idSchema })

const getCustomer = routes.get('/customers/{userid}', {
  operationId: 'getCustomer',
  summary: 'How a customer is notified',
  access: ['customer', 'stock-manager', 'operator'],
  request: { params },
  responses: { 200: jsonAnswer(customerSchema, 'The contact', examples.customer), ...problemResponses(404) },
})

const putCustomer = (allowPrivate: boolean, locale: string) =>
  routes.put('/customers/{userid}', {
    operationId: 'setCustomer',
    summary: 'Set how a customer is notified',
    description:
      'Replaces the whole contact: fields that are left out are cleared. Applies to outcomes from now on.',
    access: ['customer'],
    request: {
      params,
      body: jsonBody(contactSchema(allowPrivate, locale), examples.contact),
    },
    responses: {
      200: jsonAnswer(customerSchema, 'The updated contact', examples.customer),
      201: {
        ...jsonAnswer(customerSchema, 'The new contact', examples.customer),
        headers: z.object({ location: z.string() }),
      },
    },
  })

export function mountCustomers({ app, sql, allowPrivate, routing, audit }: NotifierHttpOptions): void {
  app.addRoute(putCustomer(allowPrivate, routing.locale), async (c) => {
    const userid = customerOf(c, c.req.valid('param').userid)
    const { email = null, webhook: given = null, phone = null, channels = null, locale } = c.req.valid('json')
    const webhook = given !== null && isMaskedUrl(given) ? await webhookShownAs(given, userid) : given
    const contact = { email, webhook, phone, channels, locale }
    const { customer, created } = await writeCustomer(sql, userid, contact)
    const body = toCustomer(customer)
    return created ? reply(201, body, { ...jsonHeaders, location: body._links.self.href }) : reply(200, body)
  })

  /** @throws {Problem} when the customer's webhook is not shown like this: the shown URL itself leads nowhere. */
  async function webhookShownAs(shown: string, userid: string): Promise<string> {
    const webhook = (await readCustomer(sql, userid))?.webhook
    if (webhook && maskUrl(webhook) === shown) return webhook
    const detail = 'is the masked form of another webhook: send the whole URL'
    throw new Problem('invalid-input', { errors: [{ pointer: '/webhook', detail }] })
  }

  app.addRoute(getCustomer, async (c) => {
    const userid = customerOf(c, c.req.valid('param').userid)
    await audit?.note(c, { action: 'getCustomer', subject: userid })
    const customer = (await readCustomer(sql, userid)) ?? notFound('This customer has no contact.')
    const isStaff = whoOf(c) !== undefined && ownOf(c) === undefined
    return reply(200, toCustomer(isStaff ? masked(customer) : customer))
  })
}

const contactSchema = (allowPrivate: boolean, defaultLocale: string) =>
  z
    .object({
      email: emailSchema.nullish(),
      webhook: webhookSchema(allowPrivate).nullish(),
      phone: phoneSchema.nullish(),
      channels: channelsSchema.nullish(),
      locale: z
        .string()
        .max(35)
        .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/, 'must be a language tag like ko or en-GB')
        .default(defaultLocale)
        .describe('BCP 47. Notices are written in ko and en'),
    })
    .superRefine((contact, context) => {
      for (const [index, channel] of (contact.channels ?? []).entries()) {
        const address = addressNeeded(channel)
        if (address !== null && contact[address] == null)
          context.addIssue({
            code: 'custom',
            path: ['channels', index],
            message: `${channel} needs a ${address}`,
          })
      }
    })
    .openapi('Contact')

/** @param parse returns undefined for what it refuses. */
const parsed = (lengthMax: number, parse: (text: string) => string | undefined, message: string) =>
  z
    .string()
    .max(lengthMax)
    .transform((text) => parse(text))
    .pipe(z.string(message).max(lengthMax))

/** Stored with its domain in ASCII. */
const emailSchema = parsed(254, parseEmail, emailRule).openapi({
  type: ['string', 'null'],
  format: 'email',
  example: 'reader@example.com',
})

/** Accepted as people write it, stored as E.164. */
const phoneSchema = parsed(40, parsePhone, phoneRule).openapi({
  type: ['string', 'null'],
  example: '+82 10-1234-5678',
})

const channelsSchema = z
  .array(z.enum(personalChannels))
  .max(personalChannels.length)
  .refine((names) => new Set(names).size === names.length, 'must name each channel once')
  .openapi({
    description: 'In order of preference. A later channel is tried when an earlier one refuses for good.',
    example: ['kakao', 'email'],
  })

/** Checks the URL itself. The address of its host is checked at each call. */
const webhookSchema = (allowPrivate: boolean) =>
  parsed(
    2_048,
    (text) => parseWebhook(text, allowPrivate),
    allowPrivate
      ? 'must be an http or https URL without credentials'
      : 'must be an https URL of a public host, without credentials',
  ).openapi({ type: ['string', 'null'], format: 'uri', example: 'https://chat.example/hook' })

function notFound(detail: string): never {
  throw new Problem('not-found', { detail })
}

/** Staff see enough of the addresses to compare them with what a customer says. */
const masked = (customer: Customer): Customer => ({
  ...customer,
  email: customer.email && maskText(customer.email),
  phone: customer.phone && maskText(customer.phone),
})

export const toCustomer = ({ updatedAt, webhook, ...customer }: Customer) => ({
  ...customer,
  webhook: webhook && maskUrl(webhook),
  updatedAt: updatedAt.toISOString(),
  _links: selfLink(`/customers/${encodeURIComponent(customer.userid)}`),
})
