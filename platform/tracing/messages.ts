/**
 * Spans of messages, named and described by OpenTelemetry's conventions:
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
 */
import type { Envelope } from '../../streams/envelope.ts'
import type { Topic } from '../../streams/partition.ts'
import type { Telemetry } from '../../streams/telemetry.ts'
import { faultOf, isSampled, type Span, type Tracing } from './tracing.ts'

const nameOf = ({ owner, name }: Topic) => `${owner}:${name}`

const destination = (topic: Topic) => ({
  'messaging.system': 'redis_streams',
  'messaging.destination.name': nameOf(topic),
})

export type MessageSender = { send(envelope: Envelope): Promise<void> }

/** @returns a sender that makes the span of its `send` the parent of whatever the message causes. */
export function sending(tracing: Tracing | undefined, topic: Topic, sender: MessageSender): MessageSender {
  if (!tracing) return sender
  return {
    async send(envelope) {
      if (!isSampled(envelope.traceparent)) return await sender.send(envelope)
      const span = tracing.begin(`send ${nameOf(topic)}`, {
        kind: 'producer',
        parent: envelope.traceparent,
        facts: {
          ...destination(topic),
          'messaging.operation.type': 'send',
          'messaging.message.id': envelope.id,
          'cloudevents.event_type': envelope.type,
        },
      })
      try {
        await sender.send({ ...envelope, traceparent: span.traceparent })
        span.end()
      } catch (error) {
        span.end(faultOf(error))
        throw error
      }
    },
  }
}

/**
 * Traces a worker's batches: one span for the batch, linked to its messages, with a child span per step; and after
 * the commit one span per message, in the message's own trace.
 */
export function following(tracing: Tracing, group: string, topic: Topic): NonNullable<Telemetry['follow']> {
  const name = `process ${nameOf(topic)}`
  const shared = {
    ...destination(topic),
    'messaging.operation.type': 'process',
    'messaging.consumer.group.name': group,
  }
  const statement = { 'db.system.name': 'postgresql', 'db.namespace': group }
  return (deliveries) => {
    const sampled = deliveries.filter(({ envelope }) => isSampled(envelope.traceparent))
    if (sampled.length === 0) return undefined
    const startedAt = Date.now()
    const batch = tracing.begin(name, {
      kind: 'consumer',
      links: sampled.map(({ envelope }) => envelope.traceparent!),
      facts: { ...shared, 'messaging.batch.message_count': deliveries.length },
    })
    const within = { parent: batch.traceparent }
    let step: Span | undefined = tracing.begin('decide', within)
    return {
      committing() {
        step?.end()
        const facts = { ...statement, 'db.query.summary': 'commit batch' }
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
            'messaging.message.id': envelope.id,
            'cloudevents.event_type': envelope.type,
            'bookreservation.bookid': envelope.subject,
            'bookreservation.position': position,
          }
          const links = [batch.traceparent]
          const parent = envelope.traceparent
          tracing.begin(name, { kind: 'consumer', parent, links, facts, startedAt }).end()
        }
      },
      publishing(events) {
        const facts = { 'messaging.operation.type': 'send', 'messaging.batch.message_count': events }
        step = tracing.begin('publish', { ...within, kind: 'producer', facts })
      },
      end(error) {
        const fault = error === undefined ? undefined : faultOf(error)
        step?.end(fault)
        batch.end(fault)
      },
    }
  }
}
