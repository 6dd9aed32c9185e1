/** The notifier's own settings: those of its channels, and who is notified over which of them. */
import { z } from 'zod'
import { emailRule, parseEmail, parsePhone, phoneRule } from '../../platform/addresses.ts'
import type { OwnSettings } from '../../platform/config.ts'
import { integer, pairs, parsed } from '../../platform/setting.ts'
import { channels, channelsOf, deliveringChannels, personalChannels } from './channels/all.ts'
import { webhook } from './channels/webhook.ts'

/** Names of channels, in order. */
const channelList = <Name extends string>(names: Name[]) => {
  const message = `must be channels among ${names.join(', ')}, separated by commas`
  return z
    .string()
    .transform((text) => text.split(',').map((it) => it.trim()))
    .pipe(z.array(z.enum(names, message), message))
}

const personal = () => channelList(personalChannels)
const purchasers = channelsOf('purchaser')
const operators = channelsOf('operator')

/** A number for some of the channels. */
function channelNumbers(min: number, max: number, example: string) {
  const message = `must be like ${example}, with numbers from ${min} to ${max}`
  const name = new RegExp(`^(${deliveringChannels.join('|')})$`)
  return pairs(name, z.coerce.number(message).min(min, message).max(max, message), message)
}

const own = z.object({
  ...webhook.settings,
  CHANNEL_RATES: channelNumbers(0.01, 10_000, 'email=50,slack=1').describe(
    'Notices per second, by channel: `slack=1,discord=2,teams=4` ([defaults](channels.md#limits))',
  ),
  CHANNEL_CONCURRENCY: channelNumbers(1, 1_000, 'email=10,webhook=64').describe(
    'Notices in flight at the same time, by channel: `email=10,webhook=64`',
  ),
  CHANNEL_TIMEOUTS_MS: channelNumbers(100, 300_000, 'email=30000,webhook=5000').describe(
    'Time limit of one delivery attempt, by channel: `email=30000,webhook=5000`',
  ),
  PURCHASER_EMAIL: parsed(parseEmail, emailRule)
    .optional()
    .describe('Address of the purchaser, who receives requests to buy books'),
  CUSTOMER_CHANNELS: personal()
    .prefault(personalChannels.join(','))
    .describe('Default channel order for customers without a preference ([how](notices.md))'),
  CHANNELS_RESERVED: personal().optional().describe('The same for notices of a reservation that succeeded'),
  CHANNELS_FAILED: personal().optional().describe('The same for notices of a reservation that failed'),
  CHANNELS_CANCELLED: personal().optional().describe('The same for notices of a cancellation'),
  PURCHASER_CHANNELS: channelList(purchasers)
    .prefault(purchasers.join(','))
    .describe('Channel order for the purchaser'),
  OPERATOR_CHANNELS: channelList(operators)
    .prefault(operators.join(','))
    .describe('Channels that notify operators. All of them are used'),
  OPERATOR_EMAIL: parsed(parseEmail, emailRule)
    .optional()
    .describe('Address for alerts and for notices that cannot be delivered'),
  OPERATOR_PHONE: parsed(parsePhone, phoneRule)
    .optional()
    .describe('Phone number for the same by SMS, such as `+821012345678`'),
  ALERT_TOKEN: z
    .string()
    .regex(/^[\x20-\x7e]{16,4000}$/, 'must be 16 to 4000 printable ASCII characters')
    .optional()
    .describe('Bearer token that Alertmanager must send. Without it `/alerts` answers 401'),
  NOTICE_DELAY_MS: integer(0, 60_000)
    .default(300)
    .describe(
      'How long a notice by e-mail or chat waits before it is sent, so that a quick cancellation can supersede it',
    ),
  NOTICE_GATHER_MS: integer(0, 86_400_000)
    .default(300_000)
    .describe(
      'How long requests to buy the same book, or failures of the same channel, are gathered into one notice',
    ),
})

const shapes: Readonly<Record<string, z.ZodType>>[] = [...channels.map((it) => it.settings), own.shape]
const shape = Object.assign({}, ...shapes) as Readonly<Record<string, z.ZodType>>

const privateInProduction =
  'must be false with PRODUCTION=true: otherwise customers reach the network of the notifier'

export type NotifierConfig = ReturnType<typeof toNotifierConfig>

export const notifierSettings: OwnSettings<NotifierConfig> = {
  shape,
  schema: z
    .object({ ...shape, PRODUCTION: z.string().optional() })
    .superRefine((it, context) => {
      if (
        it.PRODUCTION?.toLowerCase() === 'true' &&
        (it as z.infer<typeof own>).WEBHOOK_ALLOW_PRIVATE === 'true'
      )
        context.addIssue({ code: 'custom', path: ['WEBHOOK_ALLOW_PRIVATE'], message: privateInProduction })
      for (const channel of channels) channel.check?.(it as never, context)
    })
    .transform((it) => toNotifierConfig(it as z.infer<typeof own>)),
}

const toNotifierConfig = (it: z.infer<typeof own>) => ({
  channelSettings: it as Readonly<Record<string, unknown>>,
  channelRates: it.CHANNEL_RATES ?? {},
  channelConcurrency: it.CHANNEL_CONCURRENCY ?? {},
  channelTimeoutsMs: it.CHANNEL_TIMEOUTS_MS ?? {},
  webhookSecrets: it.WEBHOOK_SECRETS ?? [],
  webhookAllowPrivate: it.WEBHOOK_ALLOW_PRIVATE === 'true',
  customerChannels: {
    channels: it.CUSTOMER_CHANNELS,
    byKind: {
      reserved: it.CHANNELS_RESERVED,
      failed: it.CHANNELS_FAILED,
      cancelled: it.CHANNELS_CANCELLED,
    },
  },
  purchaserChannels: it.PURCHASER_CHANNELS,
  purchaserEmail: it.PURCHASER_EMAIL,
  operatorChannels: it.OPERATOR_CHANNELS,
  operatorEmail: it.OPERATOR_EMAIL,
  operatorPhone: it.OPERATOR_PHONE,
  alertToken: it.ALERT_TOKEN,
  noticeDelayMs: it.NOTICE_DELAY_MS,
  noticeGatherMs: it.NOTICE_GATHER_MS,
})
