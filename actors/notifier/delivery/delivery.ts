/** The interface between a dispatcher and a channel. */
import type { Addresses, Subject } from '../plan/notice.ts'

/** A notice that is due and claimed, with its recipient's addresses at the time of the claim. */
export type DueNotice = Subject &
  Addresses & {
    noticeid: string
    seq: number
    /** Including this one. */
    attempts: number
    createdAt: Date
    traceparent: string | null
    /** BCP 47. `null`: the operators' default. */
    locale: string | null
    /** Of the library, IANA. */
    timeZone: string
  }

/** `answer` is the receiver's answer, shortened and safe to show. */
export type Outcome =
  /** The receiver confirmed that it has the notice. */
  | { type: 'sent'; answer?: string }
  /**
   * It may work later, but not before `afterMs` if the receiver asked for that. Whether the receiver has the notice may be
   * unknown.
   */
  | { type: 'retry'; error: string; answer?: string; afterMs?: number }
  /** It will never work. */
  | { type: 'failed'; error: string; answer?: string }
  /** Not attempted, because the receiver is known to be down or busy. Does not count as an attempt. */
  | { type: 'deferred'; error: string; afterMs: number }

export type Channel<Name extends string = string> = {
  name: Name
  /** The most notices in flight. */
  capacity: number
  /** How long all notices of the channel should wait because its only receiver is down. */
  restMs?(): number
  /** Never throws, and takes no longer than a limit of the channel's own. */
  deliver(notice: DueNotice): Promise<Outcome>
  /** Closes the channel's connections. */
  close?(): void
}
