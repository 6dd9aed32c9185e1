/** Liveness of real processes: a loop that hangs, and one that recovers. */
import { getPriority } from 'node:os'
import { expect, test } from 'vitest'
import { type ServiceName, serviceNames } from '../platform/config.ts'
import { eventually } from './doubles/eventually.ts'
import { type System, startOwnSystem } from './harness/system.ts'

/** A busy machine may be slow. */
const patience = { timeoutMs: 25_000 }

test('a loop that hangs fails /livez and is named there, in every service, until it recovers', {
  timeout: 60_000,
}, async (context) => {
  await using system = await startOwnSystem(context, { env: { LOOP_LIMIT_MS: '1000' } })
  const livez = async (service: (typeof serviceNames)[number]) => {
    const url = system.processes[service][0]!.url
    const answer = await fetch(`${url}/livez`)
    return { status: answer.status, text: await answer.text() }
  }
  for (const service of serviceNames)
    await eventually(async () => (await livez(service)).status === 200, patience)

  // The notifier yields to the others, and never takes a priority that it was not given.
  const [stock, notifier] = [system.processes.stock[0]!, system.processes.notifier[0]!]
  expect(getPriority(notifier.pid)).toBe(Math.max(10, getPriority(stock.pid)))

  // Each worker looks for dead letters once a second. From now on that takes longer than the limit.
  await Promise.all(serviceNames.map((service) => slowDown(system, service)))
  for (const service of serviceNames) {
    await eventually(async () => {
      const { status, text } = await livez(service)
      return (
        status === 503 && text.includes('loop-hung') && text.includes(`${service}-worker has been silent`)
      )
    }, patience)
  }
  // Each waits for the nap of its reader.
  await Promise.all(
    serviceNames.map((service) =>
      system.sql.unsafe(
        `drop view ${service}.dead_letter; alter table ${service}.letters rename to dead_letter`,
      ),
    ),
  )
  for (const service of serviceNames)
    await eventually(async () => (await livez(service)).status === 200, patience)
})

const slowDown = (system: System, service: ServiceName) =>
  system.sql.unsafe(`
    alter table ${service}.dead_letter rename to letters;
    create view ${service}.dead_letter as
      with nap as materialized (select pg_sleep(3)) select letters.* from nap left join ${service}.letters on true;
    grant select on ${service}.dead_letter to ${service}`)
