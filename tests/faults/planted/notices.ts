/** Bugs of the notifier. */
import type { Bug } from './bug.ts'

export const notices: Bug[] = [
  {
    name: 'treat every answer as the first',
    edits: [
      {
        file: 'actors/notifier/handler.ts',
        find: "first: isNew && !looksUp && 'first' in message && message.first === true",
        replace: 'first: true',
      },
    ],
    scenario: 'cancel-races',
    caughtBy: ['no notice is delivered twice'],
  },
  {
    name: 'record a line before it is written',
    edits: [
      {
        file: 'actors/notifier/console.ts',
        find: 'lines.writePending()\n    log.flush()',
        replace: '',
      },
    ],
    scenario: 'crash-after-print',
    caughtBy: ['every outcome has its notices'],
  },
  {
    name: 'mark before sending',
    edits: [
      {
        file: 'actors/notifier/delivery/dispatch.ts',
        find: 'this.#await(notice.seq, channel.deliver(notice))',
        replace: "this.#await(notice.seq, (channel.deliver(notice), Promise.resolve({ type: 'sent' })))",
      },
    ],
    scenario: 'smtp-moods',
    caughtBy: ['every outcome has its notices'],
  },
  {
    name: 'give up when one channel refuses',
    edits: [
      {
        file: 'actors/notifier/delivery/retry.ts',
        find: 'fallback\n        ? {',
        replace: 'false\n        ? {',
      },
    ],
    scenario: 'smtp-moods',
    caughtBy: ['every outcome has its notices'],
  },
  {
    name: 'remind of a copy that was collected',
    edits: [
      {
        file: 'actors/notifier/plan/supersession.ts',
        find: "kind: 'handed-over',\n    supersedes: ['queued', 'reserved', 'ready', 'reminder', 'extended', 'taken-back'],",
        replace: "kind: 'handed-over',\n    supersedes: ['queued', 'reserved', 'ready', 'taken-back'],",
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['after its end only the end is announced'],
  },
  {
    name: 'send one notice for two turns',
    edits: [
      {
        file: 'actors/notifier/plan/supersession.ts',
        find: '(turn > 1 ? String(turn) : undefined)',
        replace: '(turn < 0 ? String(turn) : undefined)',
      },
    ],
    scenario: 'desk-races',
    caughtBy: ['every event has its own notices'],
  },
]
