/** Publishes the events of a commit while the next batch is read and handled. That batch is committed afterwards. */
import type { EventLog, Publication } from './event-log.ts'
import type { BatchTrace } from './telemetry.ts'

export class Publishing {
  #last: Promise<void> | undefined

  start(eventLog: EventLog, publications: Publication[], trace?: BatchTrace): void {
    trace?.publishing(
      publications.reduce((sum, { events }) => sum + events.reduce((n, it) => n + it.events.length, 0), 0),
    )
    this.#last = eventLog.publish(publications)
    this.#last.then(
      () => trace?.end(),
      (error) => trace?.end(error), // Thrown by `done`; until then it must not count as unhandled.
    )
  }

  /** @throws when the last publication failed: the next alignment fills the streams. */
  async done(): Promise<void> {
    const last = this.#last
    this.#last = undefined
    await last
  }

  forget(): void {
    this.#last = undefined
  }
}
