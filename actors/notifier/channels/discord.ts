/**
 * Sends notices to a webhook of Discord.
 *
 * Request: `content` of 2,000 characters at most, with Markdown escaped; empty `allowed_mentions`, so that no text of a
 * user mentions anyone; no embeds for links. With `wait=true` Discord answers once the message is saved; without it,
 * Discord does not report a message that it failed to save.
 * Answer: 200 with the message (204 without `wait`), or a JSON error with a number as its `code`; 429 with `retry_after`
 * in seconds. Each answer says how many calls are left and until when. When none is left, the webhook rests.
 *
 * Sources: https://docs.discord.com/developers/resources/webhook#execute-webhook,
 * https://docs.discord.com/developers/topics/rate-limits,
 * https://docs.discord.com/developers/resources/message#allowed-mentions-object
 */
import { webhookUrl } from '../../../platform/setting.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import { writeMessage } from '../templates/message.ts'
import { jsonOf, judge } from './answer.ts'
import type { Tried } from './breaker.ts'
import type { Answer } from './caller.ts'
import { cut } from './cut.ts'
import { defineChannel } from './descriptor.ts'
import { type OperatorWebhook, operatorChannel } from './posting.ts'
import type { Limits } from './receiver.ts'

const contentMax = 2_000
const titleMax = 256
const suppressEmbeds = 1 << 2

/** Discord sends its own limit with each answer; this rate avoids most of its refusals. */
const limits: Limits = { concurrent: 8, perSecond: 2, limitMs: 10_000 }

export const discord = defineChannel({
  name: 'discord',
  address: null,
  staff: ['purchaser', 'operator'],
  limits,
  settings: {
    DISCORD_WEBHOOK_URL: webhookUrl('https://discord.com/api/webhooks/…')
      .optional()
      .describe('Webhook of Discord'),
  },
  open: ({ DISCORD_WEBHOOK_URL: url }, { limits }) => (url ? discordChannel({ url, ...limits }) : undefined),
})

export const discordChannel = (to: OperatorWebhook): Channel<'discord'> =>
  operatorChannel(
    {
      name: 'discord',
      who: 'Discord',
      limits,
      write(notice, url) {
        url.searchParams.set('wait', 'true')
        return { body: JSON.stringify(bodyOf(notice)) }
      },
      judge: judgeDiscord,
    },
    to,
  )

function bodyOf(notice: DueNotice) {
  const { title, text } = writeMessage(notice, notice.locale, notice.timeZone)
  const head = `**${cut(title, titleMax, { encode: escaped })}**\n`
  return {
    content: head + cut(text.trim(), contentMax - head.length, { encode: escaped }),
    allowed_mentions: { parse: [] },
    flags: suppressEmbeds,
  }
}

/** A backslash escapes all markup: emphasis, links, mentions, headings, lists, emoji and timestamps. */
const escaped = (character: string): string =>
  /[\\*_~`|>#+\-.!:@&<()[\]{}]/.test(character) ? `\\${character}` : character

async function judgeDiscord(answer: Answer): Promise<Tried> {
  const { status, headers } = answer
  const refused = status >= 400
  const { code, retry_after } = refused ? jsonOf(await answer.body.catch(() => '')) : {}
  const tried = judge(answer, 'Discord', typeof code === 'number' ? String(code) : '')
  const { outcome } = tried
  if (outcome.type === 'retry' && typeof retry_after === 'number')
    return { ...tried, outcome: { ...outcome, afterMs: Math.ceil(retry_after * 1_000) } }
  const spent = headers['x-ratelimit-remaining'] === '0'
  return spent ? { ...tried, quietMs: Number(headers['x-ratelimit-reset-after']) * 1_000 || 0 } : tried
}
