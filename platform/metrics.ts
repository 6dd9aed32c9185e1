/**
 * The Prometheus metrics of a service. Children are bound once, so that counting costs well below a microsecond.
 *
 * Our own metrics begin with `bookreservation_`; only `http_request_duration_seconds` has the name that it has everywhere.
 * `process_*` and `nodejs_*` come from the client library. Units are base units, such as seconds. A label has few values: never
 * an id, a path or a text from outside.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { Delivery } from '../streams/handler.ts'
import type { Telemetry } from '../streams/telemetry.ts'
import { runtime, version } from './build.ts'
import type { Level } from './log-buffer.ts'

/** How often the library samples the use of the event loop, milliseconds. Its default, 100, costs 0.25 % of a core. */
const eventLoopUtilizationTimeout = 5_000
/**
 * The timer whose delay it measures, milliseconds. Its default, 10, wakes an idle process 100 times a second, which costs
 * 0.2 % of a core. The lag that it reports includes this time.
 */
const eventLoopMonitoringPrecision = 100
const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

type NoticeOutcome = 'sent' | 'retried' | 'refused' | 'failed' | 'superseded'
/** Why a request was refused: slugs of problems. */
export const refusals = ['unauthorized', 'forbidden', 'too-many-requests'] as const
export type Refusal = (typeof refusals)[number]
export type Store = 'postgres' | 'redis'
export type Metrics = ReturnType<typeof createMetrics>

/**
 * @param service the label that every metric carries.
 * @param revision the commit that the code is from.
 */
export function createMetrics(service: string, revision = 'unknown') {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry, eventLoopUtilizationTimeout, eventLoopMonitoringPrecision })
  const registers = [registry]

  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const histogram = (name: string, help: string, buckets = latencyBuckets) =>
    new Histogram({ name, help, buckets, registers })
  /** @returns the counter for each value of its label. */
  const counters = <Value extends string | number>(label: string, name: string, help: string) => {
    const all = new Counter({ name, help, labelNames: [label], registers })
    return memo((value: Value) => all.labels({ [label]: value }))
  }
  const gauges = <Value extends string | number>(label: string, name: string, help: string) => {
    const all = new Gauge({ name, help, labelNames: [label], registers })
    return memo((value: Value) => all.labels({ [label]: value }))
  }

  new Gauge({
    name: 'bookreservation_build_info',
    help: 'The version, commit and runtime of the process. Always 1',
    labelNames: ['version', 'revision', 'runtime'],
    registers,
  }).set({ version, revision, runtime }, 1)
  const lag = new Gauge({
    name: 'bookreservation_mailbox_lag_entries',
    help: 'Messages of the stream that are not committed yet, as seen by the owner',
    labelNames: ['partition'],
    registers,
  })
  const notices = new Counter({
    name: 'bookreservation_notices_total',
    help: 'Attempts to deliver a notice, by outcome',
    labelNames: ['channel', 'outcome'],
    registers,
  })
  const noticesOf = memo((channel: string) =>
    memo((outcome: NoticeOutcome) => notices.labels({ channel, outcome })),
  )
  /** Age of the oldest in seconds, and when it was read. */
  let undecided: { seconds: number; at: number } | undefined
  new Gauge({
    name: 'bookreservation_reservations_undecided_seconds',
    help: 'Age of the oldest reservation or cancellation that stock has not answered',
    registers,
    // It keeps aging while the database cannot be asked.
    collect() {
      this.set(undecided ? undecided.seconds + (performance.now() - undecided.at) / 1_000 : 0)
    },
  })
  let held = () => 0
  new Gauge({
    name: 'bookreservation_http_requests_held',
    help: 'Requests held open: waits, receipts and event streams',
    registers,
    collect() {
      this.set(held())
    },
  })

  let readStores: () => Promise<unknown> = () => Promise.resolve()
  return {
    registry,
    /** @param read sets the metrics that only the stores know; called whenever the metrics are read. */
    storesBy(read: () => Promise<unknown>) {
      readStores = read
    },
    /** @returns the metrics in Prometheus' text format. */
    async text(): Promise<string> {
      await readStores()
      return await registry.metrics()
    },

    httpSeconds: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the request to the head of its response, by route pattern',
      labelNames: ['method', 'route', 'status'],
      buckets: latencyBuckets,
      registers,
    }),
    refusals: counters<Refusal>(
      'reason',
      'bookreservation_http_refusals_total',
      'Requests refused because of their caller',
    ),
    /** @param count returns how many requests are held; called whenever the metrics are read. */
    heldBy(count: () => number) {
      held = count
    },

    accepted: counter('bookreservation_reservations_accepted_total', 'Reservations accepted'),
    acceptSeconds: histogram(
      'bookreservation_accept_duration_seconds',
      'Time from the request to the commit, without the wait for a decision',
    ),
    /** @param seconds current age of the oldest; undefined if there is none. */
    undecidedFor(seconds: number | undefined) {
      undecided = seconds === undefined ? undefined : { seconds, at: performance.now() }
    },
    /** By a status of a reservation, or the reason why it failed at once. */
    decided: counters<string>(
      'outcome',
      'bookreservation_reservations_decided_total',
      'Reservations and cancellations decided',
    ),
    moved: counters<string>(
      'status',
      'bookreservation_reservations_moved_total',
      'Changes of decided reservations, by their new status',
    ),
    decisionSeconds: histogram(
      'bookreservation_decision_duration_seconds',
      'Time from acceptance to decision',
    ),
    queueDrifts: counter(
      'bookreservation_queue_drifts_total',
      'Queues whose tally disagreed with stock, and is counted again',
    ),
    resends: counter('bookreservation_commands_resent_total', 'Unconfirmed commands sent again'),

    holdsUnshelved: gauge(
      'bookreservation_holds_unshelved_seconds',
      'How long the oldest copy that is set aside has waited for the hold shelf, on days that the library is open',
    ),
    holdsOverdue: gauge(
      'bookreservation_holds_overdue_seconds',
      'How long the oldest hold has been due to expire',
    ),
    queuesUntended: gauge(
      'bookreservation_queues_untended_seconds',
      'How long the oldest unfinished queue has waited to be served or refused',
    ),
    reservationsWaiting: gauge(
      'bookreservation_reservations_waiting',
      'Reservations that wait for a copy, in the 10,000 longest queues',
    ),
    queueLongest: gauge(
      'bookreservation_queue_longest_reservations',
      'Reservations in the longest queue of a book',
    ),

    lag: memo((partition: number) => lag.labels({ partition })),
    /** Removes the lag of a released partition, so that only its owner reports it. */
    forgetLag: (partition: number) => lag.remove({ partition }),
    mailboxWaitSeconds: histogram(
      'bookreservation_mailbox_wait_duration_seconds',
      'Time from sending the oldest message of a batch to handling it',
    ),
    batchSize: histogram(
      'bookreservation_mailbox_batch_messages',
      'Messages handled in one commit',
      [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500],
    ),
    commitSeconds: histogram(
      'bookreservation_mailbox_commit_duration_seconds',
      'Duration of the commit statement',
    ),
    fenceFailures: counters<number>(
      'partition',
      'bookreservation_mailbox_fence_failures_total',
      'Commits refused because the partition had another owner',
    ),
    deadLetters: counter(
      'bookreservation_mailbox_dead_letters_total',
      'Messages set aside because no retry can make them work',
    ),
    deadLettersWaiting: gauge(
      'bookreservation_mailbox_dead_letters_waiting',
      'Dead letters that are neither redriven nor dropped yet',
    ),
    partitions: gauge(
      'bookreservation_mailbox_partitions',
      'Number of partitions, each of which must have an owner',
    ),

    linesDropped: counters<Level>(
      'level',
      'bookreservation_log_lines_dropped_total',
      'Log lines dropped because the reader was behind',
    ),
    storeUp: gauges<Store>(
      'store',
      'bookreservation_store_up',
      'Whether the store answered the last check: 1 or 0',
    ),
    noticesOverdue: gauges<string>(
      'channel',
      'bookreservation_notices_overdue_seconds',
      'How long the oldest due notice has waited for its first attempt',
    ),
    notices: (channel: string, outcome: NoticeOutcome) => noticesOf(channel)(outcome),
  }
}

/** Counts what the streams runtime reports. @param now by Postgres's clock, as the times of messages are. */
export const streamsTelemetry = (
  metrics: Metrics,
  now: () => Date,
  follow?: Telemetry['follow'],
): Telemetry => ({
  ...(follow ? { follow } : {}),
  handling(deliveries) {
    const waitMs = now().getTime() - oldestOf(deliveries)
    // The clocks of two processes may differ by a round trip to Postgres.
    if (Number.isFinite(waitMs)) metrics.mailboxWaitSeconds.observe(Math.max(waitMs, 0) / 1_000)
  },
  batch: (size) => metrics.batchSize.observe(size),
  committed: (seconds) => metrics.commitSeconds.observe(seconds),
  fenceFailed: (partition) => metrics.fenceFailures(partition).inc(),
  deadLettered: (count) => metrics.deadLetters.inc(count),
  lag: (partition, entries) => metrics.lag(partition).set(entries),
  released: (partition) => metrics.forgetLag(partition),
})

/**
 * @returns when the oldest message was sent, or infinity if no time can be parsed. Only the first message of each partition
 * is read: the others of a partition follow it.
 */
function oldestOf(deliveries: Delivery<unknown>[]): number {
  let oldest = Number.POSITIVE_INFINITY
  let last: number | undefined
  for (const { partition, envelope } of deliveries) {
    if (partition === last) continue
    last = partition
    const at = Date.parse(envelope.time)
    if (at < oldest) oldest = at
  }
  return oldest
}

/** Remembers every result, so use it only for few distinct arguments. */
export function memo<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new Map<Key, Value>()
  return (key) => {
    const known = made.get(key)
    if (known !== undefined) return known
    const value = make(key)
    made.set(key, value)
    return value
  }
}
