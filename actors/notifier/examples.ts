/** The examples of the OpenAPI document. A test checks each against its schema. */
import { selfLink } from '../../platform/http/paging.ts'

export const contact = {
  email: 'reader@example.com',
  phone: '+82 10-1234-5678',
  channels: ['kakao' as const, 'email' as const],
  locale: 'ko',
}

export const customer = {
  userid: 'test1',
  ...contact,
  webhook: null,
  phone: '+821012345678',
  updatedAt: '2026-11-24T02:30:00.000Z',
  _links: selfLink('/customers/test1'),
}

const noticeid = '01a20646-76c0-8be2-9e13-0178f89dcdb0'
const sentAt = '2026-11-24T02:40:11.280Z'
export const notice = {
  noticeid,
  kind: 'reserved' as const,
  channel: 'email' as const,
  userid: 'test1',
  bookid: '1',
  title: 'Momo',
  reservationid: '01a20646-76c0-7b29-af61-e9e4b5d9e512',
  reason: null,
  shortage: null,
  status: 'Sent' as const,
  attempts: 1,
  lastError: null,
  createdAt: '2026-11-24T02:40:10.990Z',
  sentAt,
  _links: selfLink(`/notices/${noticeid}`),
}

export const oneNotice = {
  ...notice,
  log: [
    {
      at: sentAt,
      channel: 'email' as const,
      outcome: 'Sent' as const,
      error: null,
      answer: '250 OK: message queued',
    },
  ],
}

export const contactExport = { userid: 'test1', contact: customer, notices: [oneNotice] }

export const contactErasure = { contact: true, notices: 1 }

export const noticeChange = { status: 'Pending' as const }

export const recordedAlert = {
  fingerprint: '1a30ba71cca2921f',
  status: 'Firing' as const,
  labels: { alertname: 'NoticesOverdue', severity: 'warning' },
  annotations: { summary: 'Notices have been due for five minutes' },
  startsAt: '2026-11-24T02:45:00.000Z',
  endsAt: null,
  generatorURL: 'http://prometheus.example/graph',
  changedAt: '2026-11-24T02:45:30.512Z',
}

export const alerts = {
  version: '4' as const,
  groupKey: '{}:{alertname="NoticesOverdue"}',
  status: 'firing' as const,
  receiver: 'bookreservation',
  externalURL: 'http://alertmanager.example',
  alerts: [
    {
      status: 'firing' as const,
      labels: { alertname: 'NoticesOverdue', severity: 'warning' },
      annotations: { summary: 'Notices have been due for five minutes' },
      startsAt: '2026-11-24T02:45:00Z',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prometheus.example/graph',
      fingerprint: '1a30ba71cca2921f',
    },
  ],
}
