/** What a dispatcher hands to a channel, and what comes of it. */
import type { Addresses, Subject } from '../plan/notice.ts'

/** A notice that is due and claimed, with what is known at this moment of the one whom it is for. */
export type DueNotice = Subject &
  Addresses & {
    noticeid: string
    seq: number
    /** This one included. */
    attempts: number
    createdAt: Date
    traceparent: string | null
    /** BCP 47. Absent: as the operators say. */
    locale: string | null
  }

/** `answer` is what the receiver said, short and safe to show. */
export type Outcome =
  /** The receiver answered that it has the notice. */
  | { type: 'sent'; answer?: string }
  /** It may work later; not before `afterMs`, if the receiver asked for that. Whether it has the notice may be unknown. */
  | { type: 'retry'; error: string; answer?: string; afterMs?: number }
  /** It never will. */
  | { type: 'failed'; error: string; answer?: string }
  /** It was not tried: the receiver is known to be down. Does not count as an attempt. */
  | { type: 'deferred'; error: string; afterMs: number }

export type Channel<Name extends string = string> = {
  name: Name
  /** Notices in hand at most. */
  capacity: number
  /** How long all notices of the channel should wait, since its only receiver is known to be down. */
  restMs?(): number
  /** Never throws, and takes no longer than a limit of the channel's own. */
  deliver(notice: DueNotice): Promise<Outcome>
  /** Gives connections back. */
  close?(): void
}
