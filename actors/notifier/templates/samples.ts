/** Sample notices for previews and tests. */
import { stockRefusalReasons } from '../../messages.ts'
import type { Alert, Kind, ReservationDetails, Subject } from '../plan/notice.ts'

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
/** 18:00 in Seoul. */
const pickupBy = '2026-11-30T09:00:00Z'
const about = (kind: Kind, details: Omit<ReservationDetails, 'type'>): Subject => ({
  ...reservation,
  kind,
  details: { type: 'reservation', ...details },
})
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
  ...stockRefusalReasons.slice(2).map((reason) => ({
    name: `failed-${reason.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}`,
    subject: { ...reservation, kind: 'failed' as const, reason },
  })),
  { name: 'cancelled', subject: { ...reservation, kind: 'cancelled' } },
  {
    name: 'cancelled-by-staff',
    subject: about('cancelled', { cause: 'Staff', note: 'The library is closed until March.' }),
  },
  { name: 'queued', subject: about('queued', { position: 3 }) },
  { name: 'queued-without-position', subject: about('queued', {}) },
  { name: 'reserved-to-be-ready', subject: about('reserved', {}) },
  { name: 'ready', subject: about('ready', { pickupBy }) },
  { name: 'ready-without-deadline', subject: about('ready', { pickupBy: null }) },
  { name: 'reminder', subject: about('reminder', { pickupBy }) },
  { name: 'extended', subject: about('extended', { pickupBy }) },
  { name: 'expired', subject: about('expired', {}) },
  { name: 'taken-back', subject: about('taken-back', { cause: 'Damaged', turn: 2 }) },
  { name: 'purchase-requested', subject: { ...book, kind: 'purchase-requested', shortage: 4 } },
  {
    name: 'purchase-requested-for-queue',
    subject: {
      ...book,
      kind: 'purchase-requested',
      shortage: 0,
      details: { type: 'purchase', waiting: 12 },
    },
  },
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
