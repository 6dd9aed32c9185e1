/** Notices for tests of channels. */
import type { Channel, DueNotice, Outcome } from '../delivery/delivery.ts'

export const noticeid = '01989d5e-1c2b-8abc-8def-0123456789ab'
export const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'

export const notice = (some: Partial<DueNotice> = {}): DueNotice => ({
  noticeid,
  seq: 1,
  attempts: 1,
  kind: 'reserved',
  bookid: 'B1',
  userid: 'test1',
  reservationid: '01989d5e-1c2b-7abc-8def-0123456789ab',
  reason: null,
  shortage: null,
  createdAt: new Date('2026-01-02T03:04:05Z'),
  traceparent,
  email: null,
  webhook: null,
  phone: null,
  locale: null,
  timeZone: 'Asia/Seoul',
  ...some,
})

/** An alert with untrusted text in its label and annotation. */
export const alarming = (name: string, summary = name): Partial<DueNotice> => ({
  kind: 'alert',
  bookid: null,
  userid: null,
  reservationid: null,
  details: {
    type: 'alerts',
    groupKey: '',
    externalURL: '',
    truncated: 0,
    alerts: [
      {
        fingerprint: 'f',
        status: 'firing',
        labels: { alertname: name },
        annotations: { summary },
        startsAt: '2026-01-02T03:04:05.000Z',
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: '',
      },
    ],
  },
})

/** Harmful text of a user. */
export const sly = '<b>&"\'*_[link](https://evil.example)<!channel><@U1>@everyone#{name}{{DATE(2026-01-01)}}'

/** Delivers the notices, then closes the channel. */
export async function deliver(channel: Channel, ...notices: DueNotice[]): Promise<Outcome[]> {
  try {
    return await Promise.all(notices.map((it) => channel.deliver(it)))
  } finally {
    channel.close?.()
  }
}
