/** The channels that the configuration asks for, beside the console. */
import type { Config } from '../../config.ts'
import type { Channel } from '../delivery.ts'
import { emailChannel } from './email.ts'
import { chatChannel, webhookChannel } from './webhook.ts'

export function openChannels(config: Config): Channel[] {
  const { smtpUrl, mailFrom, purchaserEmail, chatWebhookUrl, webhookAllowPrivate } = config
  const channels = [webhookChannel({ allowPrivate: webhookAllowPrivate })]
  if (smtpUrl) channels.push(emailChannel({ smtpUrl, from: mailFrom, purchaserEmail }))
  if (chatWebhookUrl) channels.push(chatChannel({ url: chatWebhookUrl }))
  return channels
}
