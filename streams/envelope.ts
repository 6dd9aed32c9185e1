/**
 * A message on a stream: a CloudEvents 1.0 event in binary form, one stream field per attribute.
 * Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
import { z } from 'zod'

export const envelopeSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string().min(1),
  /** The key of the actor that the message is about. */
  subject: z.string().min(1),
  time: z.string().min(1),
  /** W3C trace context of the request that caused the message. Absent when nobody traced it. */
  traceparent: z.string().optional(),
  /** JSON. */
  data: z.string().min(2),
})
export type Envelope = z.infer<typeof envelopeSchema>

/** An entry as Redis gives it: field, value, field, value. */
export type Fields = string[]

/** @returns the envelope as the fields of one stream entry. */
export function toFields(envelope: Envelope): Fields {
  const fields = [
    'specversion',
    '1.0',
    'id',
    envelope.id,
    'source',
    envelope.source,
    'type',
    envelope.type,
    'subject',
    envelope.subject,
    'time',
    envelope.time,
  ] // prettier-ignore
  if (envelope.traceparent) fields.push('traceparent', envelope.traceparent)
  fields.push('data', envelope.data)
  return fields
}

/**
 * @returns the envelope that the fields of an entry spell.
 * @throws {z.ZodError} when an attribute is missing or is not CloudEvents 1.0.
 */
export function fromFields(fields: Fields): Envelope {
  // Spelled out rather than stored by name: names that come from outside would each be looked up and kept.
  let specversion: string | undefined
  let id: string | undefined
  let source: string | undefined
  let type: string | undefined
  let subject: string | undefined
  let time: string | undefined
  let traceparent: string | undefined
  let data: string | undefined
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1]
    switch (fields[i]) {
      case 'specversion':
        specversion = value
        break
      case 'id':
        id = value
        break
      case 'source':
        source = value
        break
      case 'type':
        type = value
        break
      case 'subject':
        subject = value
        break
      case 'time':
        time = value
        break
      case 'traceparent':
        traceparent = value
        break
      case 'data':
        data = value
        break
    }
  }
  return envelopeSchema.parse({ specversion, id, source, type, subject, time, traceparent, data })
}
