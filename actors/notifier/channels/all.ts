/** Every channel but the console. A new channel is a file and its line here. */
import type { Channel } from '../delivery/delivery.ts'
import type { AddressName } from '../plan/notice.ts'
import { chat } from './chat.ts'
import type { Staff } from './descriptor.ts'
import { discord } from './discord.ts'
import { email } from './email.ts'
import { kakao } from './kakao.ts'
import { slack } from './slack.ts'
import { sms } from './sms.ts'
import { teams } from './teams.ts'
import { webhook } from './webhook.ts'

/** By default, channels are tried in this order. */
export const channels = [kakao, email, webhook, sms, slack, discord, teams, chat] as const

type Described = (typeof channels)[number]
type DeliveringChannel = Described['name']
export type ChannelName = 'console' | DeliveringChannel
/** A channel that customers can choose. */
export type PersonalChannel = Extract<Described, { address: AddressName }>['name']

export const deliveringChannels: DeliveringChannel[] = channels.map((it) => it.name)
export const channelNames: ChannelName[] = ['console', ...deliveringChannels]

const isPersonal = (it: Described): it is Extract<Described, { address: AddressName }> => it.address !== null
export const personalChannels: PersonalChannel[] = channels.filter(isPersonal).map((it) => it.name)

export const channelsOf = (staff: Staff): DeliveringChannel[] =>
  channels.filter((it) => (it.staff as readonly Staff[]).includes(staff)).map((it) => it.name)

const addresses = new Map<string, AddressName | null>(channels.map((it) => [it.name, it.address]))

/** @returns the address that a person must have to be notified over the channel, if any. */
export const addressNeeded = (channel: ChannelName): AddressName | null => addresses.get(channel) ?? null

type ChannelNumbers = { [name in DeliveringChannel]?: number }

type ChannelsConfig = {
  /** The values of every channel's settings, by name. */
  channelSettings: Readonly<Record<string, unknown>>
  channelConcurrency: ChannelNumbers
  channelRates: ChannelNumbers
  channelTimeoutsMs: ChannelNumbers
}

/**
 * Opens the channels that are configured.
 * @param clock the time for signatures.
 */
export function openChannels(config: ChannelsConfig, clock: () => Date): Channel<DeliveringChannel>[] {
  const { channelSettings, channelConcurrency, channelRates, channelTimeoutsMs } = config
  const open = ({ name, limits, open }: Described) =>
    open(channelSettings as never, {
      now: () => clock().getTime(),
      limits: {
        concurrent: channelConcurrency[name] ?? limits.concurrent,
        perSecond: channelRates[name] ?? limits.perSecond,
        limitMs: channelTimeoutsMs[name] ?? limits.limitMs,
      },
    })
  return channels.map(open).filter((it) => it !== undefined)
}
