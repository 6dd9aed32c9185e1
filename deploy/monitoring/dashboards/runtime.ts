/** For who runs it: how the services and their mailboxes do. */
import { dashboardOf, quantile } from './panel.ts'

const here = 'namespace=~"$namespace", service=~"$service"'
const rate = (metric: string, selector = here) => `rate(${metric}{${selector}}[$__rate_interval])`

export default dashboardOf({
  uid: 'bookreservation-runtime',
  title: 'Book reservations: runtime',
  description: 'How services, mailboxes and processes do.',
  variables: ['namespace', 'service'],
  rows: [
    {
      title: 'Mailboxes',
      panels: [
        {
          title: 'Lag by partition',
          description: 'Entries of the stream that are not committed yet. A rush shows and passes.',
          unit: 'short',
          queries: [
            ['{{service}} {{partition}}', `max by (service, partition) (mailbox_lag_entries{${here}})`],
          ],
        },
        {
          title: 'Partitions that nobody works on',
          description: 'For a moment when processes come and go. Longer: their messages lie where they are.',
          unit: 'short',
          queries: [
            [
              '{{service}}',
              `max by (service) (mailbox_partitions{${here}}) - (count by (service) (count by (service, partition) (mailbox_lag_entries{${here}})) or 0 * max by (service) (mailbox_partitions{${here}}))`,
            ],
          ],
        },
        {
          title: 'Dead letters',
          description: 'Messages set aside that wait to be redriven or dropped, and how many came.',
          unit: 'short',
          queries: [
            ['{{service}} waiting', `max by (service) (mailbox_dead_letters_waiting{${here}})`],
            [
              '{{service}} new',
              `sum by (service) (increase(mailbox_dead_letters_total{${here}}[$__rate_interval]))`,
            ],
          ],
        },
        {
          title: 'Messages in a batch',
          description: 'Small in quiet times; the larger, the cheaper is each.',
          unit: 'short',
          queries: [
            [
              '{{service}} mean',
              `sum by (service) (${rate('mailbox_batch_messages_sum')}) / sum by (service) (${rate('mailbox_batch_messages_count')})`,
            ],
            ['{{service}} p99', quantile(0.99, 'mailbox_batch_messages', here, ['service'])],
          ],
        },
        {
          title: 'Time of a commit',
          description: 'Of the one statement that commits a batch.',
          unit: 's',
          queries: [0.5, 0.99].map((q) => [
            `{{service}} p${q * 100}`,
            quantile(q, 'mailbox_commit_seconds', here, ['service']),
          ]),
        },
        {
          title: 'Fence failures and commands sent again',
          description:
            'Commits that came too late, since somebody else owned the partition; and what stock had not answered in time.',
          unit: 'ops',
          queries: [
            ['{{service}} fence failures', `sum by (service) (${rate('mailbox_fence_failures_total')})`],
            ['{{service}} sent again', `sum by (service) (${rate('commands_resent_total')})`],
          ],
        },
      ],
    },
    {
      title: 'HTTP and stores',
      panels: [
        {
          title: 'Requests',
          description: 'Each second, by route and status.',
          unit: 'reqps',
          queries: [
            [
              '{{service}} {{method}} {{route}} {{status}}',
              `sum by (service, method, route, status) (${rate('http_requests_total', `${here}, route!~"/(livez|readyz|startupz)"`)})`,
            ],
          ],
        },
        {
          title: 'Time to answer, p99',
          description: 'By route. A reservation may wait for its decision on purpose (Prefer: wait).',
          unit: 's',
          queries: [
            [
              '{{service}} {{method}} {{route}}',
              quantile(0.99, 'http_request_seconds', `${here}, route!~"/(livez|readyz|startupz)"`, [
                'service',
                'method',
                'route',
              ]),
            ],
          ],
        },
        {
          title: 'Time to accept a reservation',
          description: 'From asked for to written, without the wait for a decision.',
          unit: 's',
          queries: [0.5, 0.99].map((q) => [`p${q * 100}`, quantile(q, 'reservation_accept_seconds', here)]),
        },
        {
          title: 'Stores that answer',
          description: '1: the store answered when it was last asked. Asked every second.',
          unit: 'short',
          max: 1,
          queries: [['{{service}} {{store}}', `min by (service, store) (store_up{${here}})`]],
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Event loop lag, p99',
          description:
            'How late timers run. Above 100 ms the process is busy with something that should be shorter.',
          unit: 's',
          queries: [['{{service}} {{instance}}', `nodejs_eventloop_lag_p99_seconds{${here}}`]],
        },
        {
          title: 'Collecting garbage',
          description: 'Of the time, by kind.',
          unit: 'percentunit',
          queries: [
            ['{{service}} {{kind}}', `sum by (service, kind) (${rate('nodejs_gc_duration_seconds_sum')})`],
          ],
        },
        {
          title: 'Memory',
          description: 'What the process has, and what of it the heap uses. The heap may take 128 MB.',
          unit: 'bytes',
          queries: [
            ['{{service}} {{instance}} resident', `process_resident_memory_bytes{${here}}`],
            ['{{service}} {{instance}} heap', `nodejs_heap_size_used_bytes{${here}}`],
          ],
        },
        {
          title: 'CPU',
          description:
            'Processors used. A service does its work on one; what is beyond is collecting garbage and compiling.',
          unit: 'short',
          queries: [['{{service}} {{instance}}', rate('process_cpu_seconds_total')]],
        },
        {
          title: 'Lines of the log that were dropped',
          description: 'Because the reader of standard output was behind, by level. No service waits for it.',
          unit: 'ops',
          queries: [
            ['{{service}} {{level}}', `sum by (service, level) (${rate('log_lines_dropped_total')})`],
          ],
        },
        {
          title: 'Processes that answer',
          description: 'As Prometheus reaches them.',
          unit: 'short',
          queries: [['{{service}}', `sum by (service) (up{${here}})`]],
        },
        {
          title: 'Restarts',
          description:
            'Of containers by the kubelet, in the last ten minutes; and starts of processes, also those that were meant.',
          unit: 'short',
          queries: [
            [
              '{{pod}} {{container}}',
              'sum by (pod, container) (increase(kube_pod_container_status_restarts_total{namespace=~"$namespace"}[10m]))',
            ],
            ['{{service}} started', `sum by (service) (changes(process_start_time_seconds{${here}}[10m]))`],
          ],
        },
      ],
    },
  ],
})
