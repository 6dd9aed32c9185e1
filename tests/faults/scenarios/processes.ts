/** Service processes die, freeze, and wake up late. */
import { type ServiceName, serviceNames } from '../../../platform/config.ts'
import type { ServiceProcess } from '../../harness/service-process.ts'
import type { Stage } from '../stage.ts'
import { waitMaxS } from '../workload.ts'
import { leaseTtlMs } from '../world.ts'
import { busyDesk } from './races.ts'
import type { Needs, Scenario } from './scenario.ts'

/** A service that accepting does not need is down: reservations are decided and notified once it is back. */
const acceptsWithout: Needs = { share: 0.999, fast: true, decidedMs: 10_000 }
/** One of two processes is hurt: a retry reaches the other. */
const acceptsElsewhere: Needs = { share: 0.99, afterRetry: true, decidedMs: 10_000, acceptedMs: 5_000 }

/** Seconds until the next fault, so that it does not hit a retry that waits for its decision. */
export const untilSheltered = (service: ServiceName) => (service === 'reservation' ? waitMaxS : 0)

export const processes: Scenario[] = [
  ...serviceNames.map(
    (service): Scenario => ({
      name: `kill-${service}`,
      title: `processes of ${service} are killed at any moment`,
      needs: service === 'reservation' ? acceptsElsewhere : acceptsWithout,
      async fault(stage) {
        for (let times = 0; times < 3; times++) {
          const process = stage.random.pick(stage.world.processes[service])
          await hurting(stage, service, async () => {
            stage.note(`SIGKILL of ${process.name}`)
            await process.kill()
            await process.start()
          })
          await stage.seconds(stage.random.between(0.1, 1) + untilSheltered(service))
        }
      },
    }),
  ),
  ...(['stock', 'notifier'] as const).map(
    (service): Scenario => ({
      name: `${service}-down`,
      title: `all of ${service} is down`,
      needs: acceptsWithout,
      async fault(stage) {
        const all = stage.world.processes[service]
        await hurting(stage, service, async () => {
          stage.note(`SIGKILL of all ${service}`)
          await Promise.all(all.map((process) => process.kill()))
          await stage.seconds(4)
          await Promise.all(all.map((process) => process.start()))
        })
      },
    }),
  ),
  ...serviceNames.map(
    (service): Scenario => ({
      name: `zombie-${service}`,
      title: `processes of ${service} freeze past their lease, and wake up`,
      // Steps of the desk pile up, so that one batch holds several of one reservation.
      ...(service === 'reservation' ? { habits: busyDesk } : {}),
      needs: service === 'reservation' ? { decidedMs: 10_000, acceptedMs: 5_000 } : acceptsWithout,
      fault: (stage) => bringBackLate(stage, service),
    }),
  ),
]

async function bringBackLate(stage: Stage, service: ServiceName): Promise<void> {
  for (const process of stage.random.shuffled(stage.world.processes[service])) {
    await hurting(stage, service, () => freeze(stage, process))
    await stage.seconds(1)
  }
}

async function freeze(stage: Stage, process: ServiceProcess): Promise<void> {
  stage.note(`SIGSTOP of ${process.name}`)
  process.pause()
  await stage.seconds((leaseTtlMs / 1_000) * stage.random.between(1.2, 3))
  stage.note(`SIGCONT of ${process.name}`)
  process.resume()
}

/** The notifier may have delivered notices just before the fault that it could not record. */
const hurting = (stage: Stage, service: ServiceName, act: () => Promise<void>) =>
  service === 'notifier' ? stage.harm('notifier', act) : act()
