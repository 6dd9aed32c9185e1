/**
 * Spans of messages, named and described by OpenTelemetry's conventions:
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 * https://opentelemetry.io/docs/specs/semconv/cloudevents/cloudevents-spans/
 */
import type { Envelope } from '../../streams/envelope.ts'
import type { Topic } from '../../streams/partition.ts'
import type { Telemetry } from '../../streams/telemetry.ts'
import { endWith, type Facts, isSampled, type Span, type Tracing } from './tracing.ts'

const nameOf = ({ owner, name }: Topic) => `${owner}:${name}`

/** @param operation what is done, in our words. @param type what it is in OpenTelemetry's. */
function operationOn(tracing: Tracing, topic: Topic, operation: string, type: 'send' | 'process') {
  return {
    name: `${operation} ${nameOf(topic)}`,
    facts: {
      ...tracing.redis,
      'messaging.operation.name': operation,
      'messaging.operation.type': type,
      'messaging.destination.name': nameOf(topic),
    } satisfies Facts,
  }
}

const eventFacts = ({ id, source, type, specversion }: Envelope): Facts => ({
  'cloudevents.event_id': id,
  'cloudevents.event_source': source,
  'cloudevents.event_type': type,
  'cloudevents.event_spec_version': specversion,
})

export type MessageSender = { send(envelope: Envelope): Promise<void> }

/** @returns a sender that makes the span of its `send` the parent of whatever the message causes. */
export function sending(tracing: Tracing | undefined, topic: Topic, sender: MessageSender): MessageSender {
  if (!tracing) return sender
  const sends = operationOn(tracing, topic, 'send', 'send')
  return {
    async send(envelope) {
      if (!isSampled(envelope.traceparent)) return await sender.send(envelope)
      const span = tracing.begin(sends.name, {
        kind: 'producer',
        parent: envelope.traceparent,
        facts: { ...sends.facts, ...eventFacts(envelope) },
      })
      try {
        await sender.send({ ...envelope, traceparent: span.traceparent })
        span.end()
      } catch (error) {
        endWith(span, error)
        throw error
      }
    },
  }
}

/**
 * Traces a worker's batches: one span for the batch, linked to its messages, with a child span per step; and after
 * the commit one span per message, in the message's own trace.
 *
 * @param topic that it reads.
 * @param published where its events go, if it has any.
 */
export function following(
  tracing: Tracing,
  group: string,
  topic: Topic,
  published?: Topic,
): NonNullable<Telemetry['follow']> {
  const processing = operationOn(tracing, topic, 'process', 'process')
  const shared = { ...processing.facts, 'messaging.consumer.group.name': group }
  const publishing = published && operationOn(tracing, published, 'publish', 'send')
  return (deliveries) => {
    const sampled = deliveries.filter(({ envelope }) => isSampled(envelope.traceparent))
    if (sampled.length === 0) return undefined
    const startedAt = Date.now()
    const batch = tracing.begin(processing.name, {
      kind: 'consumer',
      links: sampled.map(({ envelope }) => envelope.traceparent!),
      facts: { ...shared, 'messaging.batch.message_count': deliveries.length },
    })
    const within = { parent: batch.traceparent }
    let step: Span | undefined = tracing.begin('decide', within)
    return {
      committing() {
        step?.end()
        const facts = { ...tracing.postgres, 'db.query.summary': 'commit' }
        step = tracing.begin('commit', { ...within, kind: 'client', facts })
      },
      committed(partitions) {
        step?.end()
        step = undefined
        for (const { envelope, partition, position } of sampled) {
          if (!partitions.has(partition)) continue
          const facts = {
            ...shared,
            'messaging.destination.partition.id': String(partition),
            'messaging.message.id': position,
            ...eventFacts(envelope),
            'bookreservation.bookid': envelope.subject,
          }
          const links = [batch.traceparent]
          const parent = envelope.traceparent
          tracing.begin(processing.name, { kind: 'consumer', parent, links, facts, startedAt }).end()
        }
      },
      publishing(events) {
        if (!publishing) return
        const facts = { ...publishing.facts, 'messaging.batch.message_count': events }
        // The events are children of their commands, not of this span, so it is no producer's.
        step = tracing.begin(publishing.name, { ...within, kind: 'client', facts })
      },
      end(error) {
        if (step) endWith(step, error)
        endWith(batch, error)
      },
    }
  }
}
