/** What a dispatcher hands to a channel, and what comes of it. */
import type { ChannelName, Subject } from './notice.ts'

/** A notice that is due and claimed, with what is known of its customer at this moment. */
export type DueNotice = Subject & {
  noticeid: string
  seq: number
  /** This one included. */
  attempts: number
  createdAt: Date
  traceparent: string | null
  email: string | null
  webhook: string | null
  /** Absent for a notice to the purchaser, or to a customer who left no contact. */
  locale: string | null
}

export type Outcome =
  /** The receiver answered that it has the notice. */
  | { type: 'sent' }
  /** It may work later. Whether the receiver has the notice may be unknown. */
  | { type: 'retry'; error: string }
  /** It never will. */
  | { type: 'failed'; error: string }
  /** It was not tried: the receiver is known to be down. Does not count as an attempt. */
  | { type: 'deferred'; error: string; afterMs: number }

export type Channel = {
  name: ChannelName
  /** Notices in hand at most. */
  capacity: number
  /** How long all notices of the channel should wait, since its only receiver is known to be down. */
  restMs?(): number
  /** Never throws, and takes no longer than a limit of the channel's own. */
  deliver(notice: DueNotice): Promise<Outcome>
  /** Gives connections back. */
  close?(): void
}
