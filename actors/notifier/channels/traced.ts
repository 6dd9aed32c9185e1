/** Spans of notices being told, in the traces of the requests that they are about. */
import { isSampled, type SpanOptions, type Tracing } from '../../tracing/tracing.ts'
import type { Told } from '../console.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import type { ChannelName } from './all.ts'

/** @returns the channel, each of whose deliveries is a span if somebody collects them. */
export function traced<Name extends ChannelName>(
  tracing: Tracing | undefined,
  channel: Channel<Name>,
): Channel<Name> {
  if (!tracing) return channel
  const { name } = channel
  return {
    name,
    // Not a copy: it changes from moment to moment.
    get capacity() {
      return channel.capacity
    },
    restMs: () => channel.restMs?.() ?? 0,
    close: () => channel.close?.(),
    async deliver(notice) {
      if (!isSampled(notice.traceparent)) return await channel.deliver(notice)
      const span = tracing.begin(`tell ${name}`, optionsFor(notice, name))
      const outcome = await channel.deliver(notice)
      // What an error says may name the receiver.
      span.end(outcome.type === 'sent' ? undefined : outcome.type)
      return outcome
    },
  }
}

/** What was told on the spot. */
export function tracesTold(tracing: Tracing, name: ChannelName, notices: Told[]): void {
  for (const notice of notices)
    if (isSampled(notice.traceparent)) tracing.begin(`tell ${name}`, optionsFor(notice, name)).end()
}

const optionsFor = (notice: Told | DueNotice, channel: ChannelName): SpanOptions => ({
  kind: 'client',
  parent: notice.traceparent!,
  facts: {
    'bookreservation.channel': channel,
    'bookreservation.noticeid': notice.noticeid,
    'bookreservation.kind': notice.kind,
    'bookreservation.reservationid': notice.reservationid ?? undefined,
    'bookreservation.attempt': 'attempts' in notice ? notice.attempts : undefined,
  },
})
