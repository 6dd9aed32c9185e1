/** For operators: the state of services and mailboxes. */
import { dashboardOf, quantile } from './panel.ts'

const here = 'namespace=~"$namespace", service=~"$service"'
const rate = (metric: string, selector = here) => `rate(${metric}{${selector}}[$__rate_interval])`

export default dashboardOf({
  uid: 'bookreservation-runtime',
  title: 'Book reservations: runtime',
  description: 'The state of services, mailboxes and processes.',
  variables: ['namespace', 'service'],
  rows: [
    {
      title: 'Mailboxes',
      panels: [
        {
          title: 'Lag by partition',
          description:
            'Entries of the stream that are not committed yet. It rises in a rush and falls again.',
          unit: 'short',
          queries: [
            [
              '{{service}} {{partition}}',
              `max by (service, partition) (bookreservation_mailbox_lag_entries{${here}})`,
            ],
          ],
        },
        {
          title: 'Partitions without an owner',
          description: 'Normal for a moment when processes come and go. Otherwise their messages wait.',
          unit: 'short',
          queries: [
            [
              '{{service}}',
              `max by (service) (bookreservation_mailbox_partitions{${here}}) - (count by (service) (count by (service, partition) (bookreservation_mailbox_lag_entries{${here}})) or 0 * max by (service) (bookreservation_mailbox_partitions{${here}}))`,
            ],
          ],
        },
        {
          title: 'Dead letters',
          description: 'Messages that wait to be redriven or dropped, and new ones.',
          unit: 'short',
          queries: [
            [
              '{{service}} waiting',
              `max by (service) (bookreservation_mailbox_dead_letters_waiting{${here}})`,
            ],
            [
              '{{service}} new',
              `sum by (service) (increase(bookreservation_mailbox_dead_letters_total{${here}}[$__rate_interval]))`,
            ],
          ],
        },
        {
          title: 'Messages in a batch',
          description: 'Small in quiet times. The larger the batch, the cheaper each message.',
          unit: 'short',
          queries: [
            [
              '{{service}} mean',
              `sum by (service) (${rate('bookreservation_mailbox_batch_messages_sum')}) / sum by (service) (${rate('bookreservation_mailbox_batch_messages_count')})`,
            ],
            ['{{service}} p99', quantile(0.99, 'bookreservation_mailbox_batch_messages', here, ['service'])],
          ],
        },
        {
          title: 'Wait in the mailbox',
          description:
            'From sending the oldest message of a batch to handling it, by the clock of Postgres. With the time of a commit, it says where decisions wait.',
          unit: 's',
          queries: [0.5, 0.99].map((q) => [
            `{{service}} p${q * 100}`,
            quantile(q, 'bookreservation_mailbox_wait_duration_seconds', here, ['service']),
          ]),
        },
        {
          title: 'Time of a commit',
          description: 'Duration of the one statement that commits a batch.',
          unit: 's',
          queries: [0.5, 0.99].map((q) => [
            `{{service}} p${q * 100}`,
            quantile(q, 'bookreservation_mailbox_commit_duration_seconds', here, ['service']),
          ]),
        },
        {
          title: 'Fence failures and resent commands',
          description:
            'Commits that came too late, because another worker owned the partition; commands that stock had not answered in time; and queues whose tally was wrong, which is never expected.',
          unit: 'ops',
          queries: [
            [
              '{{service}} fence failures',
              `sum by (service) (${rate('bookreservation_mailbox_fence_failures_total')})`,
            ],
            ['{{service}} resent', `sum by (service) (${rate('bookreservation_commands_resent_total')})`],
            ['queues counted again', `sum(${rate('bookreservation_queue_drifts_total')})`],
          ],
        },
      ],
    },
    {
      title: 'HTTP and stores',
      panels: [
        {
          title: 'Requests',
          description: 'Per second, by route and status.',
          unit: 'reqps',
          queries: [
            [
              '{{service}} {{method}} {{route}} {{status}}',
              `sum by (service, method, route, status) (${rate('http_request_duration_seconds_count', `${here}, route!~"/(livez|readyz|startupz)"`)})`,
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
              quantile(0.99, 'http_request_duration_seconds', `${here}, route!~"/(livez|readyz|startupz)"`, [
                'service',
                'method',
                'route',
              ]),
            ],
          ],
        },
        {
          title: 'Time to accept a reservation',
          description: 'From the request to the commit, without the wait for a decision.',
          unit: 's',
          queries: [0.5, 0.99].map((q) => [
            `p${q * 100}`,
            quantile(q, 'bookreservation_accept_duration_seconds', here),
          ]),
        },
        {
          title: 'Reachable stores',
          description: '1: the store answered the last check. It is checked every second.',
          unit: 'short',
          max: 1,
          queries: [['{{service}} {{store}}', `min by (service, store) (bookreservation_store_up{${here}})`]],
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Event loop lag, p99',
          description:
            'How late timers run. Above 100 ms the process is short of CPU or blocks its event loop.',
          unit: 's',
          // The least lag is the time of the timer that measures it.
          queries: [
            [
              '{{service}} {{instance}}',
              `nodejs_eventloop_lag_p99_seconds{${here}} - nodejs_eventloop_lag_min_seconds{${here}}`,
            ],
          ],
        },
        {
          title: 'Garbage collection',
          description: 'Share of the time, by kind.',
          unit: 'percentunit',
          queries: [
            ['{{service}} {{kind}}', `sum by (service, kind) (${rate('nodejs_gc_duration_seconds_sum')})`],
          ],
        },
        {
          title: 'Memory',
          description: 'Resident memory, and the used part of the heap. The limit of the heap is 128 MB.',
          unit: 'bytes',
          queries: [
            ['{{service}} {{instance}} resident', `process_resident_memory_bytes{${here}}`],
            ['{{service}} {{instance}} heap', `nodejs_heap_size_used_bytes{${here}}`],
          ],
        },
        {
          title: 'CPU',
          description:
            'Cores in use. A service works on one; the rest is garbage collection and compilation.',
          unit: 'short',
          queries: [['{{service}} {{instance}}', rate('process_cpu_seconds_total')]],
        },
        {
          title: 'Dropped log lines',
          description:
            'By level, because the reader of standard output was behind. Services do not wait for it.',
          unit: 'ops',
          queries: [
            [
              '{{service}} {{level}}',
              `sum by (service, level) (${rate('bookreservation_log_lines_dropped_total')})`,
            ],
          ],
        },
        {
          title: 'Reachable processes',
          description: 'Processes that Prometheus can scrape.',
          unit: 'short',
          queries: [['{{service}}', `sum by (service) (up{${here}})`]],
        },
        {
          title: 'Versions',
          description: 'Processes by what they run. Two versions at a time are a rollout.',
          unit: 'short',
          queries: [
            [
              '{{service}} {{version}} {{revision}} {{runtime}}',
              `count by (service, version, revision, runtime) (bookreservation_build_info{${here}})`,
            ],
          ],
        },
        {
          title: 'Restarts',
          description:
            'Container restarts by the kubelet in the last ten minutes, and all process starts, including intended ones.',
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
