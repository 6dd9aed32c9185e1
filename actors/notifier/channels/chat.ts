/** Sends a copy of every notice to one webhook of the operators. */
import { webhookUrl } from '../../../platform/setting.ts'
import type { Channel } from '../delivery/delivery.ts'
import { judge } from './answer.ts'
import { defineChannel } from './descriptor.ts'
import { type OperatorWebhook, operatorChannel } from './posting.ts'
import type { Limits } from './receiver.ts'
import { signingSettings } from './signing.ts'
import { type Signing, signed } from './webhook.ts'

const limits: Limits = { concurrent: 16, limitMs: 5_000 }

export const chat = defineChannel({
  name: 'chat',
  address: null,
  staff: [],
  limits,
  settings: {
    CHAT_WEBHOOK_URL: webhookUrl('https://chat.example/hook')
      .optional()
      .describe('Webhook that receives every notice as JSON'),
    ...signingSettings,
  },
  open: ({ CHAT_WEBHOOK_URL: url, WEBHOOK_SECRETS: secrets }, { now, limits }) =>
    url ? chatChannel({ url, secrets, now, ...limits }) : undefined,
})

/** Signed with our own secret: the operators own both ends. */
export function chatChannel(options: Signing & OperatorWebhook): Channel<'chat'> {
  const { secrets = [], now = Date.now, ...to } = options
  return operatorChannel(
    {
      name: 'chat',
      who: 'the webhook',
      limits,
      write: (notice) => signed(notice, secrets, now()),
      judge: (answer) => judge(answer, 'The webhook'),
    },
    to,
  )
}
