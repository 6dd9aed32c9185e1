/** A reservation that a stream follows: as it is by now, and as the client has seen it. */
import type { Acceptance } from './acceptance.ts'
import { answered } from './answer.ts'
import type { Positions } from './positions.ts'
import { isFinal, type Reservation } from './reservation.ts'

export type FollowedOptions = {
  acceptance: Pick<Acceptance, 'listen'>
  positions: Pick<Positions, 'follow'>
  /** Reads the reservation again. */
  read(reservationid: string): Promise<Reservation | undefined>
}

export class Followed implements Disposable {
  readonly #options: FollowedOptions
  readonly #changed: () => void
  readonly #stop: (() => void)[]
  #current: Reservation
  #sent: Reservation | undefined

  /** @param changed called when there may be an event. */
  constructor(reservation: Reservation, options: FollowedOptions, changed: () => void) {
    this.#options = options
    this.#changed = changed
    this.#current = reservation
    this.#stop = [
      options.acceptance.listen(reservation.reservationid, (answer) => {
        const next = answered(this.#current, answer)
        // It was looked up before the last change, or the clock of Postgres was set back.
        if (next.updated_at < this.#current.updated_at) return void this.#refresh()
        this.#set(next)
      }),
      options.positions.follow({
        current: () => this.#current,
        moved: (queue) => {
          if (this.#current.status === 'Waiting') this.#set({ ...this.#current, queue })
        },
      }),
    ]
  }

  /** Whether the client has seen the final status. */
  get isOver(): boolean {
    return this.#sent !== undefined && isFinal(this.#sent.status)
  }

  /** @returns the event that the client needs to see now, if there is one. */
  async next(): Promise<{ event: 'status' | 'position'; reservation: Reservation } | undefined> {
    if (this.isOver) return undefined
    const sent = this.#sent
    const event = newsOf(this.#current, sent)
    if (!event) return undefined
    // An answer does not have the place.
    if (event === 'status' && sent && this.#current.status === 'Waiting') await this.#refresh()
    this.#sent = this.#current
    return { event, reservation: this.#sent }
  }

  async #refresh(): Promise<void> {
    const asked = this.#current
    const row = await this.#options.read(asked.reservationid).catch(() => undefined)
    const { status, updated_at } = this.#current
    if (row && status === asked.status && updated_at <= asked.updated_at) this.#set(row)
  }

  #set(reservation: Reservation): void {
    this.#current = reservation
    this.#changed()
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stop) stop()
  }
}

function newsOf(current: Reservation, sent: Reservation | undefined): 'status' | 'position' | undefined {
  if (!sent || current.status !== sent.status) return 'status'
  if (current.status === 'Ready') return same(current.pickup_by, sent.pickup_by) ? undefined : 'status'
  const [now, before] = [current.queue, sent.queue]
  return now?.position !== before?.position || now?.waiting !== before?.waiting ? 'position' : undefined
}

const same = (a: Date | null, b: Date | null): boolean => a?.getTime() === b?.getTime()
