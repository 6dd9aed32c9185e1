/** Spans of deliveries, in the traces of the requests that the notices are about. */
import { isSampled, type SpanOptions, type Tracing } from '../../../platform/tracing/tracing.ts'
import type { PrintedNotice } from '../console.ts'
import type { Channel, DueNotice } from '../delivery/delivery.ts'
import type { ChannelName } from './all.ts'

/** @returns the channel, with a span for each delivery whose trace is sampled. */
export function traced<Name extends ChannelName>(
  tracing: Tracing | undefined,
  channel: Channel<Name>,
): Channel<Name> {
  if (!tracing) return channel
  const { name } = channel
  return {
    name,
    // Not a copy: it changes all the time.
    get capacity() {
      return channel.capacity
    },
    restMs: () => channel.restMs?.() ?? 0,
    close: () => channel.close?.(),
    async deliver(notice) {
      if (!isSampled(notice.traceparent)) return await channel.deliver(notice)
      const span = tracing.begin(`notify ${name}`, optionsFor(notice, name))
      const outcome = await channel.deliver(notice)
      // The error itself may name the receiver.
      span.end(outcome.type === 'sent' ? undefined : outcome.type)
      return outcome
    },
  }
}

/** Records the spans of notices that were delivered at once. */
export function traceDelivered(tracing: Tracing, name: ChannelName, notices: PrintedNotice[]): void {
  for (const notice of notices)
    if (isSampled(notice.traceparent)) tracing.begin(`notify ${name}`, optionsFor(notice, name)).end()
}

const optionsFor = (notice: PrintedNotice | DueNotice, channel: ChannelName): SpanOptions => ({
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
