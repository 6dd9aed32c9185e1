/** For librarians, and whoever answers to them: what customers get. */
import { dashboardOf, quantile } from './panel.ts'

const here = 'namespace=~"$namespace"'
const asked = `${here}, service="reservation", method="POST", route="/reservations"`
const rate = (metric: string, selector: string) => `rate(${metric}{${selector}}[$__rate_interval])`
const ofAllAsked = (window: string) =>
  `(sum(increase(http_requests_total{${asked}, status=~"5.."}[${window}])) or vector(0)) / sum(increase(http_requests_total{${asked}}[${window}]))`

export default dashboardOf({
  uid: 'bookreservation-business',
  title: 'Book reservations: business',
  description: 'What customers get: reservations accepted and decided, shortage, notices.',
  variables: ['namespace'],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Accepted, of all asked for',
          description: 'In the time shown. The aim is 99.999 %.',
          unit: 'percentunit',
          kind: 'stat',
          max: 1,
          queries: [['accepted', `1 - ${ofAllAsked('$__range')}`]],
        },
        {
          title: 'Error budget left',
          description: 'Of the 0.001 % of 30 days’ reservations that may be refused by an error of ours.',
          unit: 'percentunit',
          kind: 'stat',
          max: 1,
          queries: [['left', `1 - ${ofAllAsked('30d')} / 0.00001`]],
        },
        {
          title: 'Oldest undecided',
          description:
            'How long the oldest reservation or cancellation has waited for stock. Milliseconds, when all is well.',
          unit: 's',
          kind: 'stat',
          queries: [['undecided', `max(reservation_undecided_seconds{${here}, service="reservation"})`]],
        },
      ],
    },
    {
      title: 'Reservations',
      panels: [
        {
          title: 'Accepted and decided',
          description:
            'Each second. What is accepted is decided a moment later; a gap between the two is a backlog.',
          unit: 'reqps',
          queries: [
            ['accepted', `sum(${rate('reservations_accepted_total', here)})`],
            ['{{outcome}}', `sum by (outcome) (${rate('reservations_decided_total', here)})`],
          ],
        },
        {
          title: 'Time to decision',
          description: 'From accepted to decided.',
          unit: 's',
          queries: [0.5, 0.95, 0.99].map((q) => [
            `p${q * 100}`,
            quantile(q, 'reservation_decision_seconds', `${here}, service="reservation"`),
          ]),
        },
        {
          title: 'Oldest undecided',
          description: 'Rises by a second each second while stock does not answer.',
          unit: 's',
          queries: [['undecided', `max(reservation_undecided_seconds{${here}, service="reservation"})`]],
        },
        {
          title: 'Refused for want of a copy',
          description:
            'Of the reservations decided: what should be bought. The purchase requests at stock name the books.',
          unit: 'percentunit',
          max: 1,
          queries: [
            [
              'refused',
              `sum(${rate('reservations_decided_total', `${here}, outcome="Failed"`)}) / sum(${rate('reservations_decided_total', `${here}, outcome=~"Failed|Reserved"`)})`,
            ],
          ],
        },
        {
          title: 'Canceled',
          description: 'Each second, by customers.',
          unit: 'reqps',
          queries: [
            ['canceled', `sum(${rate('reservations_decided_total', `${here}, outcome="Canceled"`)})`],
          ],
        },
        {
          title: 'Answered with a server’s error',
          description: 'Reservations that were asked for and not accepted, by status.',
          unit: 'reqps',
          queries: [
            ['{{status}}', `sum by (status) (${rate('http_requests_total', `${asked}, status=~"5.."`)})`],
          ],
        },
      ],
    },
    {
      title: 'Notices',
      panels: [
        {
          title: 'Told',
          description: 'Each second, by channel.',
          unit: 'ops',
          queries: [
            ['{{channel}}', `sum by (channel) (${rate('notices_total', `${here}, outcome="sent"`)})`],
          ],
        },
        {
          title: 'Not told',
          description:
            'Attempts that failed: some are tried again, some are given up, some were overtaken by a cancellation.',
          unit: 'ops',
          queries: [
            [
              '{{channel}} {{outcome}}',
              `sum by (channel, outcome) (${rate('notices_total', `${here}, outcome!="sent"`)})`,
            ],
          ],
        },
        {
          title: 'Overdue',
          description:
            'How long the oldest notice that is due has waited. A channel whose receiver is down rests for a moment.',
          unit: 's',
          queries: [['{{channel}}', `max by (channel) (notices_overdue_seconds{${here}})`]],
        },
      ],
    },
  ],
})
