/**
 * What the meaning of our statements depends on. A database, a role or a server may set any of it otherwise; what a
 * connection asks for when it begins wins over all three.
 *
 * Read-only is not among them: where an administrator has made a database read-only, that is respected, and reported
 * (`requirements.ts`). Nor is `transaction_timeout`, which servers before 17 do not know.
 */

/** Shows whether what a connection asks for has arrived: a pooler may be told to ignore it. */
export const sessionMark = { name: 'bookreservation.session', value: 'pinned' }

export const session = {
  [sessionMark.name]: sessionMark.value,
  // The driver reads times by `new Date`, and bytes and numbers as these make them.
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  // A commit is one statement, which waits for what others do to its rows and goes on with what they left.
  default_transaction_isolation: 'read committed',
  // What is accepted is on disk, unless a pool can compute it again.
  synchronous_commit: 'on',
  // How long we wait is said where we wait. Connections of a pool may be idle.
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  exit_on_error: 'off',
}
