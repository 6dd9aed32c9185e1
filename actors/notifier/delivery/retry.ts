/** Decides what follows an attempt: when a notice is retried, and when it is given up. */
import { match } from 'ts-pattern'
import type { ChannelName } from '../channels/all.ts'
import type { DueNotice, Outcome } from './delivery.ts'
import type { Mark } from './queue.ts'

const firstDelayMs = 1_000
const delayMaxMs = 60 * 60 * 1_000
/** After this, a notice is no longer news. */
export const giveUpAfterMs = 24 * 60 * 60 * 1_000

/** Doubles with each attempt, up to an hour. Half of it is random, so that many notices do not return at once. */
export function retryDelayMs(attempts: number, random: () => number): number {
  const ms = Math.min(delayMaxMs, firstDelayMs * 2 ** Math.min(attempts - 1, 30))
  return ms * (0.5 + random() / 2)
}

export type Attempt = {
  notice: Pick<DueNotice, 'seq' | 'attempts'>
  channel: ChannelName
  outcome: Outcome
  /** Since the first attempt was possible, milliseconds. */
  ageMs: number
  /** The channel to try next if this one refuses for good. */
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
            // A receiver that asks for more time than is left gets one last attempt at its end.
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
