/** What comes of an attempt: when a notice is tried again, and when no more. */
import { match } from 'ts-pattern'
import type { ChannelName } from '../channels/all.ts'
import type { DueNotice, Outcome } from './delivery.ts'
import type { Mark } from './queue.ts'

const firstMs = 1_000
const longestMs = 60 * 60 * 1_000
/** A notice that is older than this tells nobody anything new. */
export const giveUpAfterMs = 24 * 60 * 60 * 1_000

/** Doubles with each attempt up to an hour; half of it is chance, so that many do not return at once. */
export function retryDelayMs(attempts: number, random: () => number): number {
  const ms = Math.min(longestMs, firstMs * 2 ** Math.min(attempts - 1, 30))
  return ms * (0.5 + random() / 2)
}

export type Attempt = {
  notice: Pick<DueNotice, 'seq' | 'attempts'>
  channel: ChannelName
  outcome: Outcome
  /** For how long it is being tried, milliseconds. */
  ageMs: number
  /** Where it goes if the channel refuses for good. */
  fallback: ChannelName | undefined
  random(): number
}

export function markOf({ notice, channel, outcome, ageMs, fallback, random }: Attempt): Mark {
  const { seq, attempts } = notice
  const mark = { seq, attempts, channel, next: null, error: null, answer: null, afterMs: 0 }
  const late = ageMs > giveUpAfterMs
  return match(outcome)
    .returnType<Mark>()
    .with({ type: 'sent' }, (it) => ({ ...mark, outcome: 'sent', answer: it.answer ?? null }))
    .with({ type: 'failed' }, ({ error, answer = null }) =>
      fallback
        ? { ...mark, outcome: 'fallback', next: fallback, error, answer }
        : { ...mark, outcome: 'failed', error, answer },
    )
    .with({ type: 'retry' }, ({ error, answer = null, afterMs = 0 }) =>
      late
        ? { ...mark, outcome: 'failed', error: `${error}; gave up`, answer }
        : {
            ...mark,
            outcome: 'retry',
            error,
            answer,
            // One more try when the time is over, if the receiver asked for longer.
            afterMs: Math.max(retryDelayMs(attempts, random), Math.min(afterMs, giveUpAfterMs - ageMs)),
          },
    )
    .with({ type: 'deferred' }, ({ error, afterMs }) =>
      late
        ? { ...mark, outcome: 'failed', error: `${error}; gave up` }
        : { ...mark, outcome: 'deferred', error, afterMs: afterMs * (1 + random()) },
    )
    .exhaustive()
}
