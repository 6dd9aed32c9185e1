/**
 * Tells by e-mail, over a pool of connections. The Message-ID is made of the noticeid: a message that is sent again,
 * because the answer to the first was lost, is recognised as the same by the receiving server and by the reader's
 * mailbox.
 *
 * A password is never sent in the clear: where the URL carries one, TLS is required.
 *
 * Sources: RFC 5321 (codes of 4xx may pass, 5xx are final), RFC 2369 and RFC 8058 (`List-Unsubscribe`, one click),
 * RFC 3834 (`Auto-Submitted`).
 */
import { createTransport } from 'nodemailer'
import { parseSender } from '../../addresses.ts'
import { needs, parsed, url } from '../../setting.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { shown } from './answer.ts'
import { describe } from './descriptor.ts'
import { type Limits, Receiver, type Tried } from './receiver.ts'
import { signingSettings, unsubscribeToken } from './signing.ts'

/** Servers take so many over one connection: Exim, for one, a thousand. */
const mailsPerConnectionMax = 500
const connectMs = 5_000
const silenceMs = 10_000
/** The service is closing: of all answers to a mail, the one that is about the server. RFC 5321, section 4.2.1. */
const closing = 421

const limits: Limits = { concurrent: 10, limitMs: 30_000 }

export const email = describe({
  name: 'email',
  address: 'email',
  staff: ['purchaser', 'operator'],
  limits,
  settings: {
    SMTP_URL: url(['smtp', 'smtps'], 'smtp://user:password@host:587')
      .optional()
      .describe('Mail server, such as `smtp://user:password@host:587`'),
    MAIL_FROM: parsed(
      (text) => (parseSender(text) ? text : undefined),
      'must be a sender like Library <no-reply@library.example>',
    )
      .prefault('Book reservations <no-reply@bookreservation.example>')
      .describe('Sender of e-mails'),
    UNSUBSCRIBE_URL: url(['https'], 'https://library.example/unsubscribe?user={userid}&token={token}')
      .regex(/^[\x21-\x7e]{1,400}$/, 'must be printable ASCII, of 400 characters at most')
      .optional()
      .describe('Your page for one-click unsubscribes ([how](channels.md#e-mail))'),
    ...signingSettings,
  },
  check(it, context) {
    if (it.UNSUBSCRIBE_URL?.includes('{token}')) needs(it, context, ['UNSUBSCRIBE_URL'], ['WEBHOOK_SECRETS'])
  },
  open: (
    { SMTP_URL: smtpUrl, MAIL_FROM: from, UNSUBSCRIBE_URL: unsubscribeUrl, WEBHOOK_SECRETS },
    { limits },
  ) =>
    smtpUrl
      ? emailChannel({ smtpUrl, from, unsubscribeUrl, secret: WEBHOOK_SECRETS?.[0], ...limits })
      : undefined,
})

export type EmailOptions = Partial<Limits> & {
  smtpUrl: string
  /** `Name <address>`. */
  from: string
  /** Of a page that takes one-click unsubscriptions; `{userid}` stands for the customer, `{token}` for a proof. */
  unsubscribeUrl?: string
  /** Makes the proof. */
  secret?: string
}

export function emailChannel(options: EmailOptions): Channel<'email'> {
  const { smtpUrl, from, unsubscribeUrl, secret, ...some } = options
  const { concurrent } = { ...limits, ...some }
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: concurrent,
    maxMessages: mailsPerConnectionMax,
    ...(URL.parse(smtpUrl)?.password ? { requireTLS: true } : {}),
    // Sending again is the dispatcher's: it keeps count, and knows when to stop.
    maxRequeues: 0,
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    dnsTimeout: connectMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const server = new Receiver({ ...limits, ...some })
  const sender = parseSender(from)
  if (!sender) throw new TypeError(`Cannot send e-mail: MAIL_FROM names no sender`)
  const { name, local, domain } = sender
  const address = `${local}@${domain}`

  const send = async (notice: DueNotice, to: string, signal: AbortSignal): Promise<Tried> => {
    const { title, text, html } = writeMessage(notice, notice.locale)
    try {
      const { response } = await transport.sendMail({
        from: { name, address },
        to: { name: '', address: to },
        subject: title,
        text,
        html,
        messageId: `<${notice.noticeid}@${domain}>`,
        date: notice.createdAt,
        headers: {
          'Auto-Submitted': 'auto-generated',
          ...unsubscribing(notice, address, unsubscribeUrl, secret),
        },
        signal,
      })
      return { outcome: { type: 'sent', answer: shown(response) } }
    } catch (error) {
      return tried(error as SmtpError)
    }
  }

  return {
    name: 'email',
    get capacity() {
      return server.capacity
    },
    restMs: () => server.restMs,
    async deliver(notice) {
      const to = notice.email
      if (!to) return { type: 'failed', error: 'no e-mail address is known any more' }
      return server.run((signal) => send(notice, to, signal))
    },
    close: () => transport.close({ force: true }),
  }
}

/**
 * How a customer has no more mail: by a mail to the sender, and by one click where there is a page for it.
 * Purchasers and operators do not unsubscribe.
 */
function unsubscribing({ userid }: DueNotice, sender: string, url?: string, secret?: string) {
  if (userid === null) return {}
  const who = encodeURIComponent(userid)
  const byMail = `<mailto:${sender}?subject=unsubscribe%20${who}>`
  if (url === undefined) return { 'List-Unsubscribe': prepared(byMail) }
  const token = secret === undefined ? '' : unsubscribeToken(userid, secret)
  const byClick = `<${url.replaceAll('{userid}', who).replaceAll('{token}', token)}>`
  return {
    'List-Unsubscribe': prepared(`${byClick}, ${byMail}`),
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  }
}

/** Percent-encoded already, and no place for anything but ASCII. */
const prepared = (value: string) => ({ prepared: true, value })

type SmtpError = Error & { code?: string; responseCode?: number; response?: string; permanent?: boolean }

/** The server refused this message, for good or for now; or it was not in a position to take any. */
function tried({ code, responseCode, response, permanent }: SmtpError): Tried {
  const aboutMessage = (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode !== closing
  const why = aboutMessage ? (responseCode ?? code) : [code, responseCode].filter(Boolean).join(' ')
  const error = `Cannot send e-mail: ${why || 'unknown'}`
  // What a server says of a login may say too much.
  const answer = aboutMessage && response ? shown(response) : responseCode ? String(responseCode) : undefined
  if (permanent && aboutMessage) return { outcome: { type: 'failed', error, answer } }
  return { outcome: { type: 'retry', error, answer }, down: !aboutMessage }
}
