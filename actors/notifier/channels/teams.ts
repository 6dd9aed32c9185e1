/**
 * Sends notices to a webhook of Microsoft Teams' Workflows ("When a Teams webhook request is received"), as Adaptive Cards.
 *
 * Request: a message with one card. Its text is in TextRuns which, unlike TextBlocks, ignore Markdown, so no text of a user
 * becomes a link or a picture. A message may have 28 KB.
 * Answer: 202 without a body once the workflow has the message, or a JSON error with a `code`.
 *
 * Sources: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using,
 * https://learn.microsoft.com/power-automate/triggers-introduction,
 * https://adaptivecards.io/explorer/RichTextBlock.html, https://adaptivecards.io/explorer/TextRun.html
 */
import { webhookUrl } from '../../../platform/setting.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { jsonOf, judge, wordIn } from './answer.ts'
import type { Tried } from './breaker.ts'
import type { Answer } from './caller.ts'
import { cut } from './cut.ts'
import { defineChannel } from './descriptor.ts'
import { type OperatorWebhook, operatorChannel } from './posting.ts'
import type { Limits } from './receiver.ts'

/** Leaves room for the card's frame within 28 KB. */
const textBytesMax = 20_000
const titleBytesMax = 2_000

/** Teams accepts four messages per second (the first of the sources above). */
const limits: Limits = { concurrent: 8, perSecond: 4, limitMs: 10_000 }

export const teams = defineChannel({
  name: 'teams',
  address: null,
  staff: ['purchaser', 'operator'],
  limits,
  settings: {
    TEAMS_WEBHOOK_URL: webhookUrl('https://….powerplatform.com/…')
      .optional()
      .describe('Webhook of Microsoft Teams Workflows'),
  },
  open: ({ TEAMS_WEBHOOK_URL: url }, { limits }) => (url ? teamsChannel({ url, ...limits }) : undefined),
})

export const teamsChannel = (to: OperatorWebhook): Channel<'teams'> =>
  operatorChannel(
    {
      name: 'teams',
      who: 'Teams',
      limits,
      write: (notice) => ({ body: JSON.stringify(bodyOf(notice)) }),
      judge: judgeTeams,
    },
    to,
  )

function bodyOf(notice: DueNotice) {
  const { title, text } = writeMessage(notice, notice.locale, notice.timeZone)
  const head = { size: 'Medium', weight: 'Bolder' }
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          fallbackText: literal(title, titleBytesMax),
          body: [block(literal(title, titleBytesMax), head), block(literal(text.trim(), textBytesMax))],
          msteams: { width: 'Full' },
        },
      },
    ],
  }
}

const block = (text: string, style = {}) => ({
  type: 'RichTextBlock',
  inlines: [{ type: 'TextRun', text, ...style }],
})

/** TextRuns still interpret dates such as `{{DATE(…)}}`, so a zero-width space separates the braces. */
const literal = (text: string, max: number): string =>
  cut(text.replaceAll(/\{(?=\{)/g, '{\u200b'), max, { weigh: bytesInJson })

const bytesInJson = (character: string): number => Buffer.byteLength(JSON.stringify(character)) - 2

async function judgeTeams(answer: Answer): Promise<Tried> {
  if (answer.status < 400) return judge(answer, 'Teams')
  const { error } = jsonOf(await answer.body.catch(() => ''))
  return judge(answer, 'Teams', wordIn((error as { code?: unknown } | undefined)?.code))
}
