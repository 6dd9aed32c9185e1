/**
 * The drill: real services, and a real Prometheus and Alertmanager with our rules and routes. A lock blocks stock, and the
 * notifier is stopped; then both are repaired.
 *
 *   ReservationsUndecided  must become pending, fire, and reach the notifier's address (with its token) and the mailbox
 *   ServiceAbsent          of the notifier must reach the mailbox, and not the notifier
 *   Watchdog               must arrive outside all the time
 *
 * Afterwards each of them must be reported as resolved.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type ProcessName, processNames } from '../../platform/config.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { MailSink } from '../../tests/doubles/mail-sink.ts'
import { OwnServer } from '../../tests/doubles/own-server.ts'
import { WebhookSink } from '../../tests/doubles/webhook-sink.ts'
import { ServiceProcess } from '../../tests/harness/service-process.ts'
import { migrate } from '../ops/migrate.ts'
import { startAlertmanager } from './local/alertmanager.ts'
import { printAlerts } from './local/print-alerts.ts'
import { startPrometheus } from './local/prometheus.ts'

type Say = (line: string) => void
type Posted = { status: string; alerts: { status: string; labels: Record<string, string> }[] }

const partitions = 4
const token = 'a token that the notifier knows'
/** Rules wait up to two minutes, and a resolved alert is reported up to five minutes later. */
const patience = { timeoutMs: 420_000 }

/** @returns whether everything was seen that must be. */
export async function drill(say: Say): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-drill-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const { processes, sql } = await startServices(stack)
  const notifier = stack.use(await WebhookSink.start())
  const outside = stack.use(await WebhookSink.start())
  const mail = stack.use(await MailSink.start())
  const alertmanager = await startAlertmanager({
    dir: join(dir, 'alertmanager'),
    receivers: { notifier: notifier.url, token, deadMansSwitch: outside.url, smtp: new URL(mail.url).host },
  })
  stack.defer(async () => void (await alertmanager.stop()))
  const addressOf = (service: ProcessName) => new URL(processes[service].opsUrl).host
  const prometheus = await startPrometheus({
    dir: join(dir, 'prometheus'),
    alertmanager: alertmanager.address,
    targets: {
      reservation: addressOf('reservation'),
      stock: addressOf('stock'),
      notifier: addressOf('notifier'),
      web: addressOf('web'),
    },
  })
  stack.defer(async () => void (await prometheus.stop()))
  const printing = new AbortController()
  const printed = printAlerts(prometheus, say, printing.signal)

  const seen = async (what: string, probe: () => unknown) => {
    const startedAt = performance.now()
    const found = await eventually(async () => Boolean(await probe()), patience).catch(() => false)
    say(
      `${found ? 'SEEN   ' : 'MISSING'}  ${what} (${Math.round((performance.now() - startedAt) / 1_000)} s)`,
    )
    return found
  }
  const is = (alertname: string, state: 'pending' | 'firing') => async () =>
    (await prometheus.alerts()).some((it) => it.labels.alertname === alertname && it.state === state)
  const posted = (alertname: string, status: string) => () =>
    notifier.hooks.some(({ headers, body }) => {
      const { alerts } = body as Posted
      const of = alerts.some((it) => it.labels.alertname === alertname && it.status === status)
      return of && headers.authorization === `Bearer ${token}`
    })
  const mailed = (summary: string, status: string) => () =>
    mail.mails.some(({ subject }) => subject.includes(summary) && subject.includes(status))
  const absent = 'The notifier service does not answer'
  const undecided = 'Reservations are accepted but not decided'

  const results = [await seen('the watchdog arrives outside', () => outside.hooks.length > 0)]
  say('Locking the books, stopping the notifier, and making a reservation.')
  const lock = await sql.reserve()
  await lock`begin`
  await lock`lock table stock.book in access exclusive mode`
  await processes.notifier.stop()
  const accepted = await fetch(`${processes.reservation.url}/reservations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ bookid: '1', userid: 'ann' }),
  })
  results.push(
    await seen('the reservation is accepted', () => accepted.status === 201),
    await seen('ServiceAbsent is pending', is('ServiceAbsent', 'pending')),
    await seen('ServiceAbsent of the notifier arrives by e-mail', mailed(absent, 'firing')),
    await seen('ReservationsUndecided is pending', is('ReservationsUndecided', 'pending')),
    await seen('ReservationsUndecided fires', is('ReservationsUndecided', 'firing')),
    await seen(
      'it reaches the address of the notifier, with the token',
      posted('ReservationsUndecided', 'firing'),
    ),
    await seen('and the mailbox', mailed(undecided, 'firing')),
    await seen(
      'ServiceAbsent of the notifier does not go to the notifier',
      () => !posted('ServiceAbsent', 'firing')(),
    ),
  )
  say('Releasing the lock and starting the notifier.')
  await lock`rollback`
  lock.release()
  await processes.notifier.start()
  const heard = outside.hooks.length
  results.push(
    await seen(
      'ReservationsUndecided is resolved at the address of the notifier',
      posted('ReservationsUndecided', 'resolved'),
    ),
    await seen('and by e-mail', mailed(undecided, 'resolved')),
    await seen('ServiceAbsent of the notifier is resolved by e-mail', mailed(absent, 'resolved')),
    await seen('the watchdog still arrives', () => outside.hooks.length > heard),
  )
  printing.abort()
  await printed
  return results.every((it) => it)
}

/** The stores, and one process of each service and of the pages. */
async function startServices(stack: AsyncDisposableStack) {
  const [database, redis] = [stack.use(await OwnServer.postgres()), stack.use(await OwnServer.redis())]
  await migrate({ databaseUrl: database.url, partitions })
  const sql = postgres(database.url, { max: 1, onnotice: () => {} })
  stack.defer(() => sql.end({ timeout: 1 }))
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url, PARTITIONS: String(partitions) }
  const start = async (service: ProcessName) => {
    const process = new ServiceProcess(service, { service, runtime: 'node', env })
    stack.defer(async () => void (await process.finish()))
    await process.start()
    return [service, process] as const
  }
  const processes = Object.fromEntries(await Promise.all(processNames.map(start)))
  return { processes: processes as Record<ProcessName, ServiceProcess>, sql }
}
