/** For librarians and their managers: what customers get. */
import { dashboardOf, quantile } from './panel.ts'

const here = 'namespace=~"$namespace"'
const requests = `${here}, service="reservation", method="POST", route="/reservations"`
const rate = (metric: string, selector: string) => `rate(${metric}{${selector}}[$__rate_interval])`
const errorShare = (window: string) =>
  `(sum(increase(http_request_duration_seconds_count{${requests}, status=~"5.."}[${window}])) or vector(0)) / sum(increase(http_request_duration_seconds_count{${requests}}[${window}]))`

export default dashboardOf({
  uid: 'bookreservation-business',
  title: 'Book reservations: business',
  description: 'The customers’ view: reservations accepted and decided, shortage, notices.',
  variables: ['namespace'],
  rows: [
    {
      title: 'Now',
      panels: [
        {
          title: 'Accepted requests',
          description: 'Share of the requests in the selected time range. The objective is 99.999 %.',
          unit: 'percentunit',
          kind: 'stat',
          max: 1,
          queries: [['accepted', `1 - ${errorShare('$__range')}`]],
        },
        {
          title: 'Error budget left',
          description: 'Of 30 days: 0.001 % of the reservations may be answered with 5xx.',
          unit: 'percentunit',
          kind: 'stat',
          max: 1,
          queries: [['left', `1 - ${errorShare('30d')} / 0.00001`]],
        },
        {
          title: 'Oldest undecided',
          description:
            'How long the oldest reservation or cancellation has waited for stock. Normally milliseconds.',
          unit: 's',
          kind: 'stat',
          queries: [
            [
              'undecided',
              `max(bookreservation_reservations_undecided_seconds{${here}, service="reservation"})`,
            ],
          ],
        },
      ],
    },
    {
      title: 'Reservations',
      panels: [
        {
          title: 'Accepted and decided',
          description:
            'Per second. Accepted reservations are decided a moment later; a gap between the two is a backlog.',
          unit: 'reqps',
          queries: [
            ['accepted', `sum(${rate('bookreservation_reservations_accepted_total', here)})`],
            ['{{outcome}}', `sum by (outcome) (${rate('bookreservation_reservations_decided_total', here)})`],
          ],
        },
        {
          title: 'Time to decision',
          description: 'From acceptance to decision.',
          unit: 's',
          queries: [0.5, 0.95, 0.99].map((q) => [
            `p${q * 100}`,
            quantile(q, 'bookreservation_decision_duration_seconds', `${here}, service="reservation"`),
          ]),
        },
        {
          title: 'Oldest undecided',
          description: 'Rises by one second per second while stock does not answer.',
          unit: 's',
          queries: [
            [
              'undecided',
              `max(bookreservation_reservations_undecided_seconds{${here}, service="reservation"})`,
            ],
          ],
        },
        {
          title: 'Refused: no copy left',
          description:
            'Share of the decided reservations. The purchase requests of stock name the books to buy.',
          unit: 'percentunit',
          max: 1,
          queries: [
            [
              'refused',
              `sum(${rate('bookreservation_reservations_decided_total', `${here}, outcome="Failed"`)}) / sum(${rate('bookreservation_reservations_decided_total', `${here}, outcome!="Canceled"`)})`,
            ],
          ],
        },
        {
          title: 'Later changes',
          description:
            'Per second, of decided reservations of books with a queue or a hold shelf, by new status.',
          unit: 'reqps',
          queries: [
            ['{{status}}', `sum by (status) (${rate('bookreservation_reservations_moved_total', here)})`],
          ],
        },
        {
          title: 'Canceled',
          description: 'Per second, by customers.',
          unit: 'reqps',
          queries: [
            [
              'canceled',
              `sum(${rate('bookreservation_reservations_decided_total', `${here}, outcome="Canceled"`)})`,
            ],
          ],
        },
        {
          title: 'Answered with 5xx',
          description: 'Reservation requests that were not accepted, by status.',
          unit: 'reqps',
          queries: [
            [
              '{{status}}',
              `sum by (status) (${rate('http_request_duration_seconds_count', `${requests}, status=~"5.."`)})`,
            ],
          ],
        },
      ],
    },
    {
      title: 'Hold shelf and queues',
      panels: [
        {
          title: 'Waiting',
          description:
            'Reservations that wait for a copy, in all queues and in the longest. A long queue is a book to buy more of.',
          unit: 'short',
          queries: [
            ['all', `max(bookreservation_reservations_waiting{${here}, service="stock"})`],
            ['longest queue', `max(bookreservation_queue_longest_reservations{${here}, service="stock"})`],
          ],
        },
        {
          title: 'Stuck',
          description:
            'How long the oldest copy has waited to be fetched for the hold shelf, the oldest hold to expire, and the oldest queue to be served. Only the first is more than a few seconds, and less than a day.',
          unit: 's',
          queries: [
            ['to be fetched', `max(bookreservation_holds_unshelved_seconds{${here}, service="stock"})`],
            ['to expire', `max(bookreservation_holds_overdue_seconds{${here}, service="stock"})`],
            ['to be served', `max(bookreservation_queues_untended_seconds{${here}, service="stock"})`],
          ],
        },
      ],
    },
    {
      title: 'Notices',
      panels: [
        {
          title: 'Sent',
          description: 'Per second, by channel.',
          unit: 'ops',
          queries: [
            [
              '{{channel}}',
              `sum by (channel) (${rate('bookreservation_notices_total', `${here}, outcome="sent"`)})`,
            ],
          ],
        },
        {
          title: 'Not sent',
          description: 'Attempts that will be retried, were given up, or were superseded by a cancellation.',
          unit: 'ops',
          queries: [
            [
              '{{channel}} {{outcome}}',
              `sum by (channel, outcome) (${rate('bookreservation_notices_total', `${here}, outcome!="sent"`)})`,
            ],
          ],
        },
        {
          title: 'Overdue',
          description:
            'How long the oldest due notice has waited. A channel whose receiver is down pauses for a moment.',
          unit: 's',
          queries: [['{{channel}}', `max by (channel) (bookreservation_notices_overdue_seconds{${here}})`]],
        },
      ],
    },
  ],
})
