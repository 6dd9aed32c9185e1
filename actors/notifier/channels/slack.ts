/**
 * Sends notices to an incoming webhook of Slack.
 *
 * Request: `text` for the notification, and mrkdwn blocks for the message. Slack's markup, including mentions and links, is
 * made of `&`, `<` and `>`, so only these are escaped. `verbatim` keeps names and URLs in a user's text from becoming links. A
 * block accepts 3,000 characters.
 * Answer: `ok`, or an error code such as `invalid_payload`, with a status that shows whether to retry.
 *
 * Sources: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
 * https://docs.slack.dev/messaging/formatting-message-text, https://docs.slack.dev/reference/block-kit/blocks/section-block,
 * https://docs.slack.dev/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
 */
import { webhookUrl } from '../../../platform/setting.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { judge, wordIn } from './answer.ts'
import type { Tried } from './breaker.ts'
import type { Answer } from './caller.ts'
import { cut } from './cut.ts'
import { defineChannel } from './descriptor.ts'
import { type OperatorWebhook, operatorChannel } from './posting.ts'
import type { Limits } from './receiver.ts'

const blockMax = 3_000
const textMax = 4_000

/** Slack accepts one message per second and webhook (https://docs.slack.dev/apis/web-api/rate-limits). */
const limits: Limits = { concurrent: 8, perSecond: 1, limitMs: 10_000 }

export const slack = defineChannel({
  name: 'slack',
  address: null,
  staff: ['purchaser', 'operator'],
  limits,
  settings: {
    SLACK_WEBHOOK_URL: webhookUrl('https://hooks.slack.com/services/…')
      .optional()
      .describe('Incoming webhook of Slack'),
  },
  open: ({ SLACK_WEBHOOK_URL: url }, { limits }) => (url ? slackChannel({ url, ...limits }) : undefined),
})

export const slackChannel = (to: OperatorWebhook): Channel<'slack'> =>
  operatorChannel(
    {
      name: 'slack',
      who: 'Slack',
      limits,
      write: (notice) => ({ body: JSON.stringify(bodyOf(notice)) }),
      judge: judgeSlack,
    },
    to,
  )

function bodyOf(notice: DueNotice) {
  const { title, text } = writeMessage(notice, notice.locale, notice.timeZone)
  return {
    text: mrkdwn(title, textMax),
    blocks: [section(`*${mrkdwn(title, blockMax - 2)}*`), section(mrkdwn(text.trim(), blockMax))],
    unfurl_links: false,
    unfurl_media: false,
  }
}

const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text, verbatim: true } })

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }
const mrkdwn = (text: string, max: number): string => cut(text, max, { encode: (it) => entities[it] ?? it })

async function judgeSlack(answer: Answer): Promise<Tried> {
  // If the body is lost, the status is enough.
  const said = await answer.body.then(
    (body) => body.trim(),
    () => undefined,
  )
  const tried = judge(answer, 'Slack', wordIn(said))
  if (tried.outcome.type !== 'sent' || said === undefined || said === 'ok') return tried
  const { status } = answer
  return {
    outcome: {
      type: 'failed',
      error: `Slack answered ${status} without ok`,
      answer: `HTTP ${status}`,
    },
  }
}
