/** Sample notices for previews and tests. */
import type { Alert, Kind, Subject } from '../plan/notice.ts'

const blank = {
  bookid: null,
  title: null,
  author: null,
  userid: null,
  reservationid: null,
  reason: null,
  shortage: null,
  details: null,
}
const book = { ...blank, bookid: 'momo-1973', title: 'Momo', author: 'Michael Ende' }
const reservation = {
  ...book,
  userid: 'test1',
  reservationid: '01989d5e-1c2b-7abc-8def-0123456789ab',
}
const alert: Alert = {
  fingerprint: 'c6eadffa33fcdf37',
  status: 'firing',
  labels: { alertname: 'MailboxLags', severity: 'page', partition: '3' },
  annotations: { summary: 'stock is 1,200 messages behind <in partition 3>' },
  startsAt: '2026-03-14T09:26:53Z',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'https://prometheus.example/graph?g0.expr=bookreservation_mailbox_lag_entries',
}

/** At least one per kind; more where the text depends on the reason. */
export const samples: { name: string; subject: Subject }[] = [
  { name: 'reserved', subject: { ...reservation, kind: 'reserved' } },
  { name: 'failed-out-of-stock', subject: { ...reservation, kind: 'failed', reason: 'OutOfStock' } },
  {
    name: 'failed-unknown-book',
    subject: { ...reservation, title: null, author: null, kind: 'failed', reason: 'UnknownBook' },
  },
  { name: 'cancelled', subject: { ...reservation, kind: 'cancelled' } },
  { name: 'purchase-requested', subject: { ...book, kind: 'purchase-requested', shortage: 4 } },
  {
    name: 'purchase-requested-without-title',
    subject: { ...blank, kind: 'purchase-requested', bookid: 'momo-1973', shortage: 4 },
  },
  {
    name: 'delivery-failed',
    subject: {
      ...book,
      kind: 'delivery-failed',
      reservationid: reservation.reservationid,
      reason: 'Cannot send e-mail: 550',
      details: {
        type: 'failure',
        noticeid: '01989d5e-1c2b-8abc-8def-0123456789ab',
        kind: 'reserved',
        channel: 'email',
        more: 2,
      },
    },
  },
  {
    name: 'alert',
    subject: {
      ...blank,
      kind: 'alert',
      details: {
        type: 'alerts',
        groupKey: '{}:{alertname="MailboxLags"}',
        externalURL: 'https://alertmanager.example',
        alerts: [alert, { ...alert, fingerprint: '1a30ba71cca2921f', status: 'resolved' }],
        truncated: 1,
      },
    },
  },
] satisfies { name: string; subject: Subject & { kind: Kind } }[]
