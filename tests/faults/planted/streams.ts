/** Bugs of streams and leases: messages are lost, repeated, published early or executed by two owners. */
import type { Bug } from './bug.ts'

export const streams: Bug[] = [
  {
    name: 'skip the fence',
    edits: [
      {
        file: 'streams/commit.ts',
        find: 'and m.epoch = a.epoch and m.position = a.read_at',
        replace: '',
      },
      // A slow commit is hit by a freeze more often.
      {
        file: 'streams/worker.ts',
        find: 'const startedAt = performance.now()',
        replace: 'await sleep(300)\n    const startedAt = performance.now()',
      },
    ],
    scenario: 'zombie-stock',
    caughtBy: [
      'every dead letter is kept, and no other',
      'the event log is dense',
      'all is quiet in the end',
    ],
  },
  {
    name: 'move the offset before the commit',
    edits: [
      {
        file: 'streams/worker.ts',
        find: 'let trace: BatchTrace | undefined\n    try {',
        replace: `for (const it of slices) {
      await this.#options.sql\`update mailbox set position = \${it.to}
        where partition = \${it.owned.partition} and epoch = \${it.owned.epoch}\`
      it.from = it.to
    }
    let trace: BatchTrace | undefined
    try {`,
      },
    ],
    scenario: 'postgres-locked',
    caughtBy: ['every outcome has its notices'],
  },
  {
    name: 'publish before the commit',
    edits: [
      {
        file: 'streams/worker.ts',
        find: 'const startedAt = performance.now()',
        replace: `const time = new Date().toISOString()
    const early = Map.groupBy(outgoing, (it) => it.partition)
    for (const { owned } of slices) {
      const own = early.get(owned.partition)
      if (own) await eventLog?.publish([{ at: { partition: owned.partition, trimmed: owned.trimmed, seq: own.at(-1)!.seq }, events: own.map((it) => ({ ...it, time })) }])
    }
    const startedAt = performance.now()`,
      },
    ],
    scenario: 'cancel-races',
    caughtBy: ['nothing is published before its commit'],
  },
  {
    name: 'read with a bare >',
    edits: [
      {
        file: 'streams/mailbox.ts',
        find: "redis.call('XGROUP', 'SETID', key, group, at.after)",
        replace: '',
      },
      {
        file: 'streams/mailbox.ts',
        find: "redis.call('XGROUP', 'SETID', key, group, at.position, 'ENTRIESREAD', string.format('%d', at.processed))",
        replace: '',
      },
      {
        file: 'streams/mailbox.ts',
        find: "redis.call('XGROUP', 'SETID', key, group, position, 'ENTRIESREAD', processed)",
        replace: '',
      },
      // Otherwise a consumer notices the gap and the stream is filled again.
      {
        file: 'streams/intake.ts',
        find: 'this.#validOf(owned, entriesOf(rows, owned.position, this.#sequenced))',
        replace: 'entriesOf(rows, owned.position, this.#sequenced)',
      },
    ],
    scenario: 'replies-swallowed',
    caughtBy: ['every outcome has its notices', 'every 201 has one outcome', 'all is quiet in the end'],
  },
  {
    name: 'trim by length',
    edits: [
      {
        file: 'streams/event-log.ts',
        find: 'const now = await this.#lowestOffset(at.partition)',
        replace: `await this.#redis.xtrim(this.key(at.partition), 'MAXLEN', 5)
    const now = await this.#lowestOffset(at.partition)`,
      },
      // Otherwise the owner or a consumer notices the gap and the stream is filled again.
      {
        file: 'streams/holdings.ts',
        find: 'await eventLog?.mend(owned)',
        replace: 'undefined as string | undefined',
      },
      {
        file: 'streams/intake.ts',
        find: 'this.#validOf(owned, entriesOf(rows, owned.position, this.#sequenced))',
        replace: 'entriesOf(rows, owned.position, this.#sequenced)',
      },
    ],
    scenario: 'notifier-down',
    caughtBy: ['the streams match the log', 'every outcome has its notices'],
  },
  {
    name: 'give the messages of an entry one position',
    edits: [
      {
        file: 'streams/entry.ts',
        find: 'new Member(toPosition(first + taken + i), message)',
        replace: 'new Member(toPosition(last + 0 * i), message)',
      },
    ],
    scenario: 'redis-full',
    caughtBy: ['the event log is dense'],
  },
  {
    name: 'swallow a dead letter',
    edits: [{ file: 'streams/commit.ts', find: '${letters.length ?', replace: '${letters.length < 0 ?' }],
    scenario: 'poison',
    caughtBy: ['every dead letter is kept, and no other'],
  },
  {
    name: 'take a lease without a new epoch',
    edits: [{ file: 'streams/lease.ts', find: 'epoch = m.epoch + 1', replace: 'epoch = m.epoch' }],
    scenario: 'zombie-stock',
    caughtBy: ['a new owner has a new epoch'],
  },
  {
    name: 'accept an entry of another client as an event',
    edits: [
      {
        file: 'streams/entry.ts',
        find: '=== position && event?.incarnation === incarnation',
        replace: "!== '' || incarnation !== position",
      },
      {
        file: 'streams/worker.ts',
        find: 'if (this.#sequenced && !slices.some((it) => it.redriven))',
        replace: 'if (this.#sequenced && slices.length < 0)',
      },
    ],
    scenario: 'slipped-in',
    caughtBy: ['every dead letter is kept, and no other'],
  },
  {
    name: 'trust a silent connection to Redis',
    edits: [{ file: 'streams/redis.ts', find: 'socketTimeout: silenceMaxMs,', replace: '' }],
    scenario: 'stock-redis-abandoned',
    caughtBy: ['dead connections are replaced in time'],
  },
  {
    name: 'trust a silent connection to Postgres',
    edits: [{ file: 'streams/silence.ts', find: 'it.silent >= silentMax ||', replace: '' }],
    scenario: 'notifier-postgres-abandoned',
    caughtBy: ['dead connections are replaced in time'],
  },
  {
    name: 'show a decision before it is on the disk',
    edits: [
      {
        file: 'streams/postgres.ts',
        find: '...(hot ? indexPlansOnly : {}),',
        replace:
          "...(hot ? { ...indexPlansOnly, ...(lockTimeoutMs ? { synchronous_commit: 'off' } : {}) } : {}),",
      },
    ],
    scenario: 'postgres-killed-often',
    caughtBy: ['an outcome is final', 'the book list never goes back'],
  },
]
