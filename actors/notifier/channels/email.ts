/**
 * Sends notices by e-mail, over a pool of connections. The Message-ID derives from the noticeid, so servers and mailboxes
 * recognize a message that is sent again because the first answer was lost.
 *
 * A password is never sent in the clear: if the URL has one, TLS is required.
 *
 * Sources: RFC 5321 (4xx codes are temporary, 5xx permanent), RFC 2369 and RFC 8058 (`List-Unsubscribe`, one click),
 * RFC 3834 (`Auto-Submitted`).
 */
import { parseSender } from '../../../platform/addresses.ts'
import { needs, parsed, url } from '../../../platform/setting.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { shown } from './answer.ts'
import type { Tried } from './breaker.ts'
import { defineChannel } from './descriptor.ts'
import { type Limits, Receiver } from './receiver.ts'
import { signingSettings, unsubscribeToken } from './signing.ts'

/** Servers limit the mails per connection. Exim, for example, accepts a thousand. */
const mailsPerConnectionMax = 500
const connectMs = 5_000
const silenceMs = 10_000
/** The server is shutting down: the one answer to a mail that is about the server itself. RFC 5321, section 4.2.1. */
const closing = 421

const limits: Limits = { concurrent: 10, limitMs: 30_000 }

export const email = defineChannel({
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

type EmailOptions = Partial<Limits> & {
  smtpUrl: string
  /** `Name <address>`. */
  from: string
  /** A page for one-click unsubscribes, with the placeholders `{userid}` and `{token}`. */
  unsubscribeUrl?: string
  /** Makes the token. */
  secret?: string
}

export function emailChannel(options: EmailOptions): Channel<'email'> {
  const { smtpUrl, from, unsubscribeUrl, secret, ...some } = options
  const { concurrent } = { ...limits, ...some }
  // Loaded only where there is a mail server: it is a tenth of what a process costs to start.
  const opening = import('nodemailer').then(({ createTransport }) =>
    createTransport({
      url: smtpUrl,
      pool: true,
      maxConnections: concurrent,
      maxMessages: mailsPerConnectionMax,
      ...(URL.parse(smtpUrl)?.password ? { requireTLS: true } : {}),
      // The dispatcher retries: it counts attempts and knows when to stop.
      maxRequeues: 0,
      connectionTimeout: connectMs,
      greetingTimeout: connectMs,
      dnsTimeout: connectMs,
      socketTimeout: silenceMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    }),
  )
  const server = new Receiver({ ...limits, ...some })
  const sender = parseSender(from)
  if (!sender) throw new TypeError(`Cannot send e-mail: MAIL_FROM is not a sender`)
  const { name, local, domain } = sender
  const address = `${local}@${domain}`

  const send = async (notice: DueNotice, to: string, signal: AbortSignal): Promise<Tried> => {
    const { title, text, html } = writeMessage(notice, notice.locale, notice.timeZone)
    try {
      const { response } = await (await opening).sendMail({
        from: { name, address },
        to: { name: '', address: to },
        subject: title,
        text,
        html,
        messageId: `<${notice.noticeid}@${domain}>`,
        date: notice.createdAt,
        headers: {
          'Auto-Submitted': 'auto-generated',
          ...unsubscribeHeaders(notice, address, unsubscribeUrl, secret),
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
      if (!to) return { type: 'failed', error: 'The e-mail address is no longer known' }
      return server.run((signal) => send(notice, to, signal))
    },
    close: () => void opening.then((transport) => transport.close({ force: true })),
  }
}

/**
 * Lets a customer unsubscribe: by a mail to the sender and, if there is a page for it, by one click. Purchasers and operators
 * cannot unsubscribe.
 */
function unsubscribeHeaders({ userid }: DueNotice, sender: string, url?: string, secret?: string) {
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

/** Declares that the value is ASCII and needs no encoding. */
const prepared = (value: string) => ({ prepared: true, value })

type SmtpError = Error & { code?: string; responseCode?: number; response?: string; permanent?: boolean }

/** The server refused this message, for good or for now, or could not accept any message. */
function tried({ code, responseCode, response, permanent }: SmtpError): Tried {
  const aboutMessage = (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode !== closing
  const why = aboutMessage ? (responseCode ?? code) : [code, responseCode].filter(Boolean).join(' ')
  const error = `Cannot send e-mail: ${why || 'unknown'}`
  // An answer to a login may contain secrets.
  const answer = aboutMessage && response ? shown(response) : responseCode ? String(responseCode) : undefined
  if (permanent && aboutMessage) return { outcome: { type: 'failed', error, answer } }
  return { outcome: { type: 'retry', error, answer }, down: !aboutMessage }
}
