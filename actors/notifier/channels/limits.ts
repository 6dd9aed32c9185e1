/** How much each channel gives its receivers, unless the operator says otherwise. */
import type { ChannelName } from '../notice.ts'
import type { Limits } from './receiver.ts'

export type DeliveringChannel = Exclude<ChannelName, 'console'>

/**
 * Slack takes one message a second per webhook (https://docs.slack.dev/apis/web-api/rate-limits), Microsoft Teams four
 * (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using). Discord says
 * its own with each answer, which is heeded; the rate here keeps most of its refusals from happening.
 */
export const defaultLimits: Record<DeliveringChannel, Limits> = {
  email: { concurrent: 10, limitMs: 30_000 },
  webhook: { concurrent: 64, limitMs: 5_000 },
  sms: { concurrent: 16, limitMs: 10_000 },
  kakao: { concurrent: 16, limitMs: 10_000 },
  slack: { concurrent: 8, perSecond: 1, limitMs: 10_000 },
  discord: { concurrent: 8, perSecond: 2, limitMs: 10_000 },
  teams: { concurrent: 8, perSecond: 4, limitMs: 10_000 },
  chat: { concurrent: 16, limitMs: 5_000 },
}

/** @param some what was said otherwise; what is undefined was not. */
export function limitsOf(name: DeliveringChannel, some: Partial<Limits>): Limits {
  const said = Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined))
  return { ...defaultLimits[name], ...said }
}
