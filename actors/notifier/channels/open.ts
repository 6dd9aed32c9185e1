/** The channels that the configuration asks for, beside the console. */
import type { Config } from '../../config.ts'
import type { Channel } from '../delivery.ts'
import { discordChannel } from './discord.ts'
import { emailChannel } from './email.ts'
import { kakaoChannel } from './kakao.ts'
import type { DeliveringChannel } from './limits.ts'
import { slackChannel } from './slack.ts'
import { smsChannel } from './sms.ts'
import { teamsChannel } from './teams.ts'
import { chatChannel, webhookChannel } from './webhook.ts'

/** @param clock the time that receivers are told, in signatures. */
export function openChannels(config: Config, clock: () => Date): Channel[] {
  const now = () => clock().getTime()
  const { smtpUrl, mailFrom: from, unsubscribeUrl, solapi: account, kakao } = config
  const { chatWebhookUrl, slackWebhookUrl, discordWebhookUrl, teamsWebhookUrl } = config
  const { webhookSecrets: secrets, webhookAllowPrivate: allowPrivate } = config
  const limits = (name: DeliveringChannel) => ({
    concurrent: config.channelConcurrency[name],
    perSecond: config.channelRates[name],
    limitMs: config.channelTimeoutsMs[name],
  })
  const channels = [webhookChannel({ allowPrivate, secrets, now, ...limits('webhook') })]
  if (smtpUrl)
    channels.push(emailChannel({ smtpUrl, from, unsubscribeUrl, secret: secrets[0], ...limits('email') }))
  if (account) channels.push(smsChannel({ account, now, ...limits('sms') }))
  if (account && kakao) channels.push(kakaoChannel({ account, now, ...kakao, ...limits('kakao') }))
  if (slackWebhookUrl) channels.push(slackChannel({ url: slackWebhookUrl, ...limits('slack') }))
  if (discordWebhookUrl) channels.push(discordChannel({ url: discordWebhookUrl, ...limits('discord') }))
  if (teamsWebhookUrl) channels.push(teamsChannel({ url: teamsWebhookUrl, ...limits('teams') }))
  if (chatWebhookUrl) channels.push(chatChannel({ url: chatWebhookUrl, secrets, now, ...limits('chat') }))
  return channels
}
