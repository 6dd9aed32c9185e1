/** The notifier, as the pages use it. */
import { z } from 'zod'
import type { Operation } from './call.ts'
import { get, listOf, remove, send } from './operation.ts'

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

export const contactSchema = customerSchema
  .omit({ userid: true })
  .extend({ channels: z.array(z.enum(channels)).nullable() })
export type Contact = z.output<typeof contactSchema>

export const noticeSchema = z.object({
  noticeid: z.string(),
  kind: z.string(),
  channel: z.string(),
  userid: z.string().nullable(),
  bookid: z.string().nullable(),
  title: z.string().nullable(),
  reservationid: z.string().nullable(),
  status: z.string(),
  attempts: z.int(),
  lastError: z.string().nullable(),
  createdAt: z.string(),
  sentAt: z.string().nullable(),
})
export type Notice = z.output<typeof noticeSchema>

export const attemptSchema = z.object({
  at: z.string(),
  channel: z.string(),
  outcome: z.string(),
  error: z.string().nullable(),
  answer: z.string().nullable(),
})
export type Attempt = z.output<typeof attemptSchema>

const noticeWithAttemptsSchema = noticeSchema.extend({ log: z.array(attemptSchema) })
export type NoticeWithAttempts = z.output<typeof noticeWithAttemptsSchema>

export const alertSchema = z.object({
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  startsAt: z.string(),
  endsAt: z.string().nullable(),
  generatorURL: z.string(),
})
export type Alert = z.output<typeof alertSchema>

export type NoticeFilter = {
  userid?: string | undefined
  status?: string | undefined
  kind?: string | undefined
  channel?: string | undefined
}

/** By their `operationId`. */
export const operations = {
  getCustomer: get('/customers/{userid}', customerSchema),
  setCustomer: send('PUT', '/customers/{userid}', contactSchema, customerSchema),
  /** Passed on to the customer as it is. */
  exportContact: get('/customers/{userid}/export', z.record(z.string(), z.unknown())),
  eraseContact: remove('/customers/{userid}', z.object({ notices: z.int() })),
  listNotices: listOf('/notices', 'notices', noticeSchema, 'userid', 'status', 'kind', 'channel'),
  getNotice: get('/notices/{noticeid}', noticeWithAttemptsSchema),
  changeNotice: send(
    'PATCH',
    '/notices/{noticeid}',
    z.object({ status: z.enum(['Pending', 'Suppressed']) }),
    noticeWithAttemptsSchema,
  ),
  listAlerts: listOf('/alerts', 'alerts', alertSchema, 'status'),
} as const satisfies Record<string, Operation>
