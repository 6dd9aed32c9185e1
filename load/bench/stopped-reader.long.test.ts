/** No service waits for the reader of its log: customers do not notice one that stops reading. */
import { expect, test } from 'vitest'
import { type ServiceName, serviceNames } from '../../platform/config.ts'
import { eventually } from '../../tests/doubles/eventually.ts'
import { receive } from '../../tests/harness/acts.ts'
import { useSystem } from '../../tests/harness/system.ts'
import { runClosedLoop } from './closed-loop.ts'
import { reservationRequest, saysCreated } from './workloads.ts'

const clients = 256
const haltMs = 10_000
/** More lines than the default, so that a slow machine fills the pipes too. */
const system = useSystem({ partitions: 4, env: { LOG_LINES_PER_SECOND: '1000' } })

const processes = () => serviceNames.map((service) => system().processes[service][0]!)

function load(measuredMs: number) {
  const { hostname, port } = new URL(system().processes.reservation[0]!.url)
  return runClosedLoop({
    host: hostname,
    port: Number(port),
    clients,
    warmupMs: 500,
    measuredMs,
    graceMs: 10_000,
    request: (client) => reservationRequest('hot', `reader-${client}`, true),
    wanted: (answer) => saysCreated(answer, 'Reserved'),
  })
}

const metricsOf = async (service: ServiceName) =>
  await (await fetch(`${system().opsUrl(service)}/metrics`, { signal: AbortSignal.timeout(5_000) })).text()

const residentOf = () =>
  Promise.all(
    serviceNames.map(async (service) =>
      Number(/^process_resident_memory_bytes\{.*\} (\S+)/m.exec(await metricsOf(service))![1]),
    ),
  )

async function droppedOf(service: ServiceName): Promise<Record<string, number>> {
  const found = (await metricsOf(service)).matchAll(
    /^bookreservation_log_lines_dropped_total\{.*level="(\w+)".*\} (\d+)/gm,
  )
  return Object.fromEntries(Array.from(found, ([, level, lines]) => [level, Number(lines)]))
}

/** From the lines that are written when the reader is back. */
function missedOf(service: ServiceName): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { msg, lines } of system().processes[service][0]!.logs) {
    if (msg !== 'log lines dropped: the reader was behind') continue
    for (const [level, n] of Object.entries(lines as Record<string, number>))
      sums[level] = (sums[level] ?? 0) + n
  }
  return sums
}

test('while the readers of all logs halt for 10 s, 256 clients wait no longer, and dropped lines are counted', {
  timeout: 120_000,
}, async () => {
  await receive(system(), 'hot', 1_000_000_000)
  await load(3_000)
  const before = await load(haltMs / 2)
  const resident = await residentOf()
  for (const it of processes()) it.stopReading()
  const halted = await load(haltMs)
  const grown = await residentOf()
  for (const it of processes()) it.goOnReading()
  const later = await load(haltMs / 2)

  expect(halted.other).toEqual({})
  expect(halted.p99Ms).toBeLessThan(1.5 * Math.max(before.p99Ms, later.p99Ms))
  for (const [at, service] of serviceNames.entries())
    expect(grown[at]! - resident[at]!, service).toBeLessThan(64 * 1024 * 1024)
  const dropped = await Promise.all(serviceNames.map(droppedOf))
  expect(dropped.some(({ info = 0 }) => info > 0)).toBe(true)
  for (const service of serviceNames)
    await eventually(async () => {
      expect(missedOf(service)).toEqual(await droppedOf(service))
      return true
    })
})
