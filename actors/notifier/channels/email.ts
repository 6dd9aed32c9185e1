/**
 * Tells by e-mail. The Message-ID is made of the noticeid: a message that is sent again, because the answer to the
 * first was lost, is recognised as the same by the receiving server and by the reader's mailbox.
 */
import { createTransport } from 'nodemailer'
import type { Channel, DueNotice, Outcome } from '../delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { Breaker, type BreakerLimits } from './breaker.ts'

const connectionsMax = 5
const connectMs = 5_000
const silenceMs = 10_000

export type EmailOptions = {
  smtpUrl: string
  /** `Name <address>`. */
  from: string
  /** Where purchase requests go. */
  purchaserEmail?: string
  /** The longest that one message may take. */
  limitMs?: number
  breaker?: BreakerLimits
}

export function emailChannel({
  smtpUrl,
  from,
  purchaserEmail,
  limitMs = 30_000,
  breaker,
}: EmailOptions): Channel {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: connectionsMax,
    // Sending again is the dispatcher's: it keeps count, and knows when to stop.
    maxRequeues: 0,
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    dnsTimeout: connectMs,
    socketTimeout: silenceMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const server = new Breaker(breaker)
  const domain = /@([^\s@<>]+?)>?\s*$/.exec(from)?.[1] ?? 'localhost'

  const send = async (notice: DueNotice, to: string): Promise<Outcome> => {
    const { title, text, html } = writeMessage(notice, notice.locale)
    try {
      await transport.sendMail({
        from,
        to: { name: '', address: to },
        subject: title,
        text,
        html,
        messageId: `<${notice.noticeid}@${domain}>`,
        date: notice.createdAt,
        headers: { 'Auto-Submitted': 'auto-generated' },
        signal: AbortSignal.timeout(limitMs),
      })
      return { type: 'sent' }
    } catch (error) {
      return outcomeOf(error as SmtpError)
    }
  }

  return {
    name: 'email',
    capacity: connectionsMax,
    restMs: () => server.restMs,
    async deliver(notice) {
      const to = notice.email ?? (notice.userid === null ? purchaserEmail : undefined)
      if (!to) return { type: 'failed', error: 'no e-mail address is known any more' }
      return server.run(() => send(notice, to))
    },
    close: () => transport.close({ force: true }),
  }
}

type SmtpError = Error & { code?: string; responseCode?: number; permanent?: boolean }

/** The server refused this message for good, or it was not in a position to take any. */
function outcomeOf({ code, responseCode, permanent }: SmtpError): Outcome {
  const error = ['Cannot send e-mail', responseCode ?? code].filter(Boolean).join(': ')
  const aboutMessage = code === 'EENVELOPE' || code === 'EMESSAGE'
  return permanent && aboutMessage ? { type: 'failed', error } : { type: 'retry', error }
}
