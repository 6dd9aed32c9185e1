/**
 * Posts notices as JSON to the customer's own webhook, signed as Standard Webhooks defines (`signing.ts`). Only the status
 * of the answer counts: any 2xx means that the notice was delivered.
 */
import { oneOf } from '../../../platform/setting.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { judge } from './answer.ts'
import type { CallerOptions } from './caller.ts'
import { defineChannel } from './descriptor.ts'
import { postingChannel } from './posting.ts'
import type { Limits } from './receiver.ts'
import { secretFor, signatureHeaders, signingSettings } from './signing.ts'

const limits: Limits = { concurrent: 64, limitMs: 5_000 }

export const webhook = defineChannel({
  name: 'webhook',
  address: 'webhook',
  staff: [],
  limits,
  settings: {
    ...signingSettings,
    WEBHOOK_ALLOW_PRIVATE: oneOf('true', 'false')
      .default('false')
      .describe(
        'Allow webhooks with `http` and private addresses. For development and tests; refused with `PRODUCTION=true`',
      ),
  },
  open: ({ WEBHOOK_SECRETS: secrets, WEBHOOK_ALLOW_PRIVATE }, { now, limits }) =>
    webhookChannel({ secrets, allowPrivate: WEBHOOK_ALLOW_PRIVATE === 'true', now, ...limits }),
})

export type Signing = {
  /** Our own secrets, newest first. Without any, calls are not signed. */
  secrets?: string[]
  now?: () => number
}

export function webhookChannel(options: Signing & CallerOptions & Partial<Limits>): Channel<'webhook'> {
  const { secrets = [], now = Date.now, ...others } = options
  return postingChannel(
    {
      name: 'webhook',
      who: 'the webhook',
      limits,
      addressOf: ({ webhook }) => webhook,
      single: false,
      write(notice) {
        const own = notice.userid === null ? secrets : secrets.map((it) => secretFor(notice.userid!, it))
        return signed(notice, own, now())
      },
      judge: (answer) => judge(answer, 'The webhook'),
    },
    others,
  )
}

export function signed(notice: DueNotice, secrets: string[], now: number) {
  const body = JSON.stringify(bodyOf(notice))
  const { noticeid } = notice
  return { body, headers: { 'idempotency-key': noticeid, ...signatureHeaders(secrets, noticeid, body, now) } }
}

const bodyOf = (notice: DueNotice) => {
  const { details } = notice
  const its = details?.type === 'reservation' ? details : undefined
  const { title, text } = writeMessage(notice, notice.locale, notice.timeZone)
  return {
    noticeid: notice.noticeid,
    kind: notice.kind,
    bookid: notice.bookid,
    title: notice.title || null,
    author: notice.author || null,
    userid: notice.userid,
    reservationid: notice.reservationid,
    reason: notice.reason,
    shortage: notice.shortage,
    waiting: details?.type === 'purchase' ? details.waiting : null,
    position: its?.position ?? null,
    pickupBy: its?.pickupBy ?? null,
    cause: its?.cause ?? null,
    note: its?.note ?? null,
    createdAt: notice.createdAt,
    // Shown by chat servers.
    text: withoutMarkup(`${title}\n\n${text}`),
  }
}

/**
 * The markup of chat servers differs. A zero-width space breaks the mentions (`<!channel>`, `@all`) and links (`[text](url)`) of
 * all of them.
 */
const withoutMarkup = (text: string): string => text.replaceAll(/[<@]|\](?=\()/g, '$&\u200b')
