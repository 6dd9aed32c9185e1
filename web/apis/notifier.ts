/** The notifier, as the pages use it. */
import { z } from 'zod'
import type { Api, Operation } from './call.ts'
import { pageSchema } from './page.ts'

export const customerSchema = z.object({
  userid: z.string(),
  email: z.string().nullable(),
  webhook: z.string().nullable(),
  phone: z.string().nullable(),
  locale: z.string(),
  channels: z.array(z.string()).nullable(),
})
export type Customer = z.output<typeof customerSchema>

export const channels = ['kakao', 'email', 'sms', 'webhook'] as const
export type Channel = (typeof channels)[number]

export const contactSchema = z.object({
  email: z.string().nullable(),
  webhook: z.string().nullable(),
  phone: z.string().nullable(),
  locale: z.string(),
  channels: z.array(z.enum(channels)).nullable(),
})
export type Contact = z.output<typeof contactSchema>

export const noticeSchema = z.object({
  noticeid: z.string(),
  kind: z.string(),
  channel: z.string(),
  reservationid: z.string().nullable(),
  createdAt: z.string(),
})
export type Notice = z.output<typeof noticeSchema>

/** By their `operationId`. */
export const operations = {
  getCustomer: { method: 'GET', path: '/customers/{userid}', answer: customerSchema },
  setCustomer: { method: 'PUT', path: '/customers/{userid}', body: contactSchema, answer: customerSchema },
  listNotices: {
    method: 'GET',
    path: '/notices',
    query: ['userid', 'limit', 'after'],
    answer: pageSchema('notices', noticeSchema),
  },
} as const satisfies Record<string, Operation>

export class NotifierApi {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  customer = (userid: string) => this.#api.read(operations.getCustomer, { params: { userid } })

  setCustomer = (userid: string, body: Contact) =>
    this.#api.call(operations.setCustomer, { params: { userid }, body })

  notices = (query: { userid: string; limit?: number; after?: string }) =>
    this.#api.call(operations.listNotices, { query })
}
