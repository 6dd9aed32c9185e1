/**
 * Tells by a JSON POST: to the customer's own webhook, or to the one that hears everything (`chat`). Signed as
 * Standard Webhooks has it (`signing.ts`). The status alone decides: any 2xx is a yes.
 */
import type { Channel, DueNotice } from '../delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { judge } from './answer.ts'
import type { CallerOptions } from './caller.ts'
import { type OurWebhook, postingChannel } from './posting.ts'
import type { Limits } from './receiver.ts'
import { secretFor, signatureHeaders } from './signing.ts'

type Signing = {
  /** Ours, newest first. None: nothing is signed. */
  secrets?: string[]
  now?: () => number
}

export function webhookChannel(options: Signing & CallerOptions & Partial<Limits>): Channel {
  const { secrets = [], now = Date.now, ...others } = options
  return postingChannel(
    {
      name: 'webhook',
      who: 'the webhook',
      addressOf: ({ webhook }) => webhook,
      single: false,
      write(notice) {
        const its = notice.userid === null ? secrets : secrets.map((it) => secretFor(notice.userid!, it))
        return signed(notice, its, now())
      },
      judge: (answer) => judge(answer, 'The webhook'),
    },
    others,
  )
}

/** Signed with our secret itself: both ends are the operators'. */
export function chatChannel(options: Signing & OurWebhook): Channel {
  const { url, secrets = [], now = Date.now, ...some } = options
  return postingChannel(
    {
      name: 'chat',
      who: 'the webhook',
      addressOf: () => url,
      single: true,
      write: (notice) => signed(notice, secrets, now()),
      judge: (answer) => judge(answer, 'The webhook'),
    },
    { allowPrivate: true, ...some },
  )
}

function signed(notice: DueNotice, secrets: string[], now: number) {
  const body = JSON.stringify(bodyOf(notice))
  const { noticeid } = notice
  return { body, headers: { 'idempotency-key': noticeid, ...signatureHeaders(secrets, noticeid, body, now) } }
}

const bodyOf = (notice: DueNotice) => {
  const { title, text } = writeMessage(notice, notice.locale)
  return {
    noticeid: notice.noticeid,
    kind: notice.kind,
    bookid: notice.bookid,
    userid: notice.userid,
    reservationid: notice.reservationid,
    reason: notice.reason,
    shortage: notice.shortage,
    createdAt: notice.createdAt,
    // What chat servers show.
    text: withoutMarkup(`${title}\n\n${text}`),
  }
}

/**
 * Chat servers differ in their markup. What makes a mention (`<!channel>`, `@all`) or a link (`[text](url)`) in any of them
 * is kept apart by a space that nobody sees.
 */
const withoutMarkup = (text: string): string => text.replaceAll(/[<@]|\](?=\()/g, '$&\u200b')
