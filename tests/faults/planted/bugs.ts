/** The bugs that the campaign must detect. */
import type { Bug } from './bug.ts'

export const bugs: Bug[] = [
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
    seed: 1,
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
    seed: 1,
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
    seed: 1,
    caughtBy: ['nothing is published before its commit'],
  },
  {
    name: 'forget earlier decisions',
    edits: [
      {
        file: 'actors/stock/changes.ts',
        find: 'ofBook(bookid, reservationid, holds)',
        replace: 'ofBook(bookid, bookid, holds)',
      },
    ],
    scenario: 'cancel-races',
    seed: 1,
    caughtBy: ['copies add up', 'copies held are those reserved'],
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
    seed: 1,
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
    seed: 1,
    caughtBy: ['the streams match the log', 'every outcome has its notices'],
  },
  {
    name: 'resend under another id',
    edits: [
      {
        file: 'actors/reservation/resend.ts',
        find: 'commandOf(commandIn[row.status]!, row,',
        replace: 'commandOf(commandIn[row.status]!, { ...row, reservationid: crypto.randomUUID() },',
      },
    ],
    scenario: 'redis-full',
    seed: 1,
    caughtBy: ['no row without a request'],
  },
  {
    name: 'ignore the version of a book',
    edits: [
      {
        file: 'actors/reservation/books.ts',
        find: 'where book.version < excluded.version or',
        replace: 'where true or',
      },
      { file: 'actors/reservation/books.ts', find: '(book.version < b.version', replace: '(true' },
    ],
    scenario: 'poison',
    seed: 1,
    caughtBy: ['the book list matches the events', 'the book list never goes back'],
  },
  {
    name: 'release twice',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: "    case 'held':\n    case 'ready': {\n      const now = moved(book",
        replace: "    case 'held':\n    case 'released':\n    case 'ready': {\n      const now = moved(book",
      },
    ],
    scenario: 'cancel-races',
    seed: 1,
    caughtBy: ['a hold is released once'],
  },
  {
    name: 'swallow a dead letter',
    edits: [{ file: 'streams/commit.ts', find: '${letters.length ?', replace: '${letters.length < 0 ?' }],
    scenario: 'poison',
    seed: 1,
    caughtBy: ['every dead letter is kept, and no other'],
  },
  {
    name: 'treat every answer as the first',
    edits: [
      {
        file: 'actors/notifier/handler.ts',
        find: "first: isNew && !isWary && 'first' in message && message.first === true",
        replace: 'first: true',
      },
    ],
    scenario: 'cancel-races',
    seed: 1,
    caughtBy: ['no notice is delivered twice'],
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
    seed: 1,
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
    seed: 1,
    caughtBy: ['every outcome has its notices'],
  },
  {
    name: 'take a lease without a new epoch',
    edits: [{ file: 'streams/lease.ts', find: 'epoch = m.epoch + 1', replace: 'epoch = m.epoch' }],
    scenario: 'zombie-stock',
    seed: 1,
    caughtBy: ['a new owner has a new epoch'],
  },
  {
    name: 'let a late outcome revive a canceled reservation',
    edits: [
      {
        file: 'actors/reservation/store.ts',
        find: 'then r.status else v.status end',
        replace: 'then coalesce(v.status, r.status) else v.status end',
      },
      {
        file: 'actors/reservation/store.ts',
        find: 'and v.released',
        replace: '',
      },
    ],
    scenario: 'cancel-races',
    seed: 1,
    caughtBy: ['an answered cancel has taken effect'],
  },
  {
    name: 'answer before the commit',
    edits: [
      {
        file: 'actors/reservation/acceptance.ts',
        find: '= await this.#inserts.add(row).catch(toUnavailable)',
        replace:
          '= (this.#inserts.add(row).catch(() => {}), { at: new Date(), accepted: new Set([reservationid]) })',
      },
    ],
    scenario: 'postgres-stopped',
    seed: 1,
    caughtBy: ['every 201 has one outcome'],
  },
  {
    name: 'respond with a row that is not stored',
    edits: [
      {
        file: 'actors/reservation/acceptance.ts',
        find: 'if (keyed && !accepted?.has(reservationid)) return',
        replace: 'if (keyed && !accepted) return',
      },
    ],
    scenario: 'same-key',
    seed: 1,
    caughtBy: ['responses match the stored rows'],
  },
  {
    name: 'resend by the clock of the process',
    edits: [
      {
        file: 'actors/reservation/resend.ts',
        find: 'const dueBefore = await answeredBefore(options, partition, at, marks)',
        replace: 'const dueBefore = (await answeredBefore(options, partition, at, marks)) && new Date()',
      },
    ],
    scenario: 'clocks-apart',
    seed: 1,
    caughtBy: ['it recovers in time', 'every 201 has one outcome', 'all is quiet in the end'],
  },
  {
    name: 'forget the key',
    edits: [
      {
        file: 'platform/http/idempotency.ts',
        find: 'return claimed.id',
        replace: 'return crypto.randomUUID()',
      },
    ],
    scenario: 'same-key',
    seed: 1,
    caughtBy: ['one key, one reservation'],
  },
  {
    name: 'execute commands that a restore has undone',
    edits: [
      {
        file: 'streams/batch.ts',
        find: 'if (!redriven && isOfAnother(entry, incarnation))',
        replace: 'if (!redriven && isOfAnother(entry, incarnation) && undone < 0)',
      },
    ],
    scenario: 'restore-stock-down',
    seed: 1,
    caughtBy: ['no row without a request', 'copies held are those reserved', 'each receipt counts once'],
  },
  {
    name: 'ignore that the database was restored',
    edits: [
      { file: 'streams/incarnation.ts', find: 'if (fault) return this.#fail(fault)', replace: '' },
      // Otherwise the command repairs the effects.
      {
        file: 'deploy/ops/restored/holds.ts',
        find: 'reconciled.released += await release',
        replace: 'release',
      },
    ],
    scenario: 'restore-forgotten',
    seed: 1,
    caughtBy: ['no row without a request', 'copies held are those reserved'],
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
    seed: 1,
    caughtBy: ['every dead letter is kept, and no other'],
  },
  {
    name: 'show a decision before it is on the disk',
    edits: [
      {
        file: 'streams/postgres.ts',
        find: '...(hot ? indexPlansOnly : {}),',
        replace:
          "...(hot ? { ...indexPlansOnly, ...(max === 2 ? { synchronous_commit: 'off' } : {}) } : {}),",
      },
    ],
    scenario: 'postgres-killed-often',
    seed: 1,
    caughtBy: ['an outcome is final', 'the book list never goes back'],
  },
  {
    name: 'trust a silent connection to Redis',
    edits: [{ file: 'streams/redis.ts', find: 'socketTimeout: silenceMaxMs,', replace: '' }],
    scenario: 'stock-redis-abandoned',
    seed: 1,
    caughtBy: ['dead connections are replaced in time'],
  },
  {
    name: 'trust a silent connection to Postgres',
    edits: [{ file: 'streams/silence.ts', find: 'it.silent >= silentMax ||', replace: '' }],
    scenario: 'notifier-postgres-abandoned',
    seed: 1,
    caughtBy: ['dead connections are replaced in time'],
  },
  {
    name: 'let a newcomer overtake',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: 'if (book.available > 0 && book.waiting === 0) {',
        replace: 'if (book.available > 0) {',
      },
      // Otherwise copies are hardly ever available while others wait.
      {
        file: 'actors/stock/reservations.ts',
        find: 'return now.waiting > 0 ? [event, ...serve(now, queue, shelf)] : [event]',
        replace: 'return queue.length < 0 ? serve(now, queue, shelf) : [event]',
      },
      {
        file: 'actors/stock/queue.ts',
        find: 'book.waiting > 0 && (book.available > 0 || isGone(book))',
        replace: 'book.waiting > 0 && isGone(book)',
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['newcomers wait behind the queue'],
  },
  {
    name: 'forget the queue when a copy is released',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: 'return now.waiting > 0 ? [event, ...serve(now, queue, shelf)] : [event]',
        replace: 'return queue.length < 0 ? serve(now, queue, shelf) : [event]',
      },
      // Otherwise the queue is served a moment later.
      {
        file: 'actors/stock/queue.ts',
        find: 'book.waiting > 0 && (book.available > 0 || isGone(book))',
        replace: 'book.waiting > 0 && isGone(book)',
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['no copy is idle while a reservation waits'],
  },
  {
    name: 'serve the newest first',
    edits: [
      {
        file: 'actors/stock/queue.ts',
        find: 'for (const wait of queue.slice(0, Math.min(book.available, servedMax))) {',
        replace: 'for (const wait of queue.toReversed().slice(0, Math.min(book.available, servedMax))) {',
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['places are served in order'],
  },
  {
    name: 'ignore an extension',
    edits: [
      {
        file: 'actors/stock/store.ts',
        find: 'pickup_by = excluded.pickup_by,',
        replace: 'pickup_by = least(claim.pickup_by, excluded.pickup_by),',
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['no hold expires early'],
  },
  {
    name: 'expire whatever the clock names',
    edits: [
      {
        file: 'actors/stock/shelf.ts',
        find: "hold?.status !== 'ready' || !hasPassed(hold.pickupBy, message.at)",
        replace: "hold?.status !== 'ready'",
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['no hold expires early'],
  },
  {
    name: 'count a repeated answer',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: "return { type: 'ReservationQueued', ...event, place: hold.place }",
        replace:
          "return { type: 'ReservationQueued', ...event, ...figuresOf(moved(book, { waiting: 1 })), place: hold.place }",
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['copies add up'],
  },
  {
    name: 'give a place again after a copy was taken back',
    edits: [
      {
        file: 'actors/stock/book.ts',
        find: "    case 'CopyReserved':\n    case 'ReservationQueued':\n",
        replace:
          "    case 'CopyTakenBack':\n      return { ...counted, lastPlace: event.place }\n    case 'CopyReserved':\n    case 'ReservationQueued':\n",
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['places are given once, and kept'],
  },
  {
    name: 'judge each event by itself',
    edits: [
      {
        file: 'actors/reservation/verdict.ts',
        find: 'const status = its[becomes[from]?.status ?? from]',
        replace: 'const status = its[from]',
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['every 201 has one outcome'],
  },
  {
    name: 'leave a claim behind',
    edits: [
      {
        file: 'actors/stock/changes.ts',
        find: 'if (claimed) this.#ended.set(',
        replace: "if (claimed && hold.status !== 'returned') this.#ended.set(",
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['claims are the active holds'],
  },
  {
    name: 'tally the wrong chunk',
    edits: [
      {
        file: 'actors/reservation/queue.ts',
        find: 'select bookid, place >> 8 as chunk, sum(change)::int as change from (',
        replace: 'select bookid, (place >> 8) + 1 as chunk, sum(change)::int as change from (',
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['the queues match the events', 'positions are within the queue'],
  },
  {
    name: 'hand a copy over twice',
    edits: [
      {
        file: 'actors/stock/shelf.ts',
        find: "  if (hold.status === 'collected') return []\n",
        replace: '',
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['a copy is handed over once, to its customer', 'copies add up'],
  },
  {
    name: 'let a second reservation of a customer pass',
    edits: [
      {
        file: 'actors/stock/reservations.ts',
        find: 'if (twin) {',
        replace: "if (twin?.status === 'collected') {",
      },
    ],
    scenario: 'desk-races',
    seed: 1,
    caughtBy: ['one reservation per customer and book'],
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
    seed: 1,
    caughtBy: ['every event has its own notices'],
  },
]
