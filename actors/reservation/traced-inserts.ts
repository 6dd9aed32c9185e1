/** Inserts reservations in groups, with a span for each sampled one, linked with the span of its statement (T2). */
import { endWith, isSampled, type Span, type Tracing } from '../../platform/tracing/tracing.ts'
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts'
import type { Accepted, Inserted } from './store.ts'

type Traced = Accepted & { span?: Span | undefined }

export function tracedInserts(
  tracing: Tracing,
  options: GroupCommitOptions<Accepted, Inserted>,
): Pick<GroupCommit<Accepted, Inserted>, 'add'> {
  const inserts = new GroupCommit<Traced, Inserted>({
    ...options,
    commit: (rows) => inStatementSpan(tracing, rows, options.commit(rows)),
  })
  return {
    async add(row) {
      const { reservationid, bookid, traceparent } = row
      if (!isSampled(traceparent)) return await inserts.add(row)
      const facts = { 'bookreservation.reservationid': reservationid, 'bookreservation.bookid': bookid }
      const span = tracing.begin('accept', { parent: traceparent, facts })
      return await endingWith(span, inserts.add({ ...row, span }))
    },
  }
}

async function inStatementSpan(
  tracing: Tracing,
  rows: Traced[],
  written: Promise<Inserted>,
): Promise<Inserted> {
  const accepts = rows.flatMap((row) => row.span ?? [])
  if (accepts.length === 0) return await written
  const span = tracing.begin('insert reservation', {
    kind: 'client',
    links: accepts.map((it) => it.traceparent),
    facts: {
      ...tracing.postgres,
      'db.operation.name': 'INSERT',
      'db.collection.name': 'reservation',
      'db.query.summary': 'insert reservation',
      'bookreservation.reservations': rows.length,
    },
  })
  for (const accept of accepts) accept.link(span.traceparent)
  return await endingWith(span, written)
}

async function endingWith<Result>(span: Span, work: Promise<Result>): Promise<Result> {
  try {
    const result = await work
    span.end()
    return result
  } catch (error) {
    endWith(span, error)
    throw error
  }
}
