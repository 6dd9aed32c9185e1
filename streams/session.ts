/**
 * Settings that the statements depend on. A server, a database or a role may have other values; those that a connection
 * sets when it starts override all three.
 *
 * Read-only is not set: where an administrator has made a database read-only, that is respected and reported
 * (`requirements.ts`). Nor is `transaction_timeout`, which servers before 17 do not know.
 */

/** Shows whether the settings of a connection have arrived: a pooler can be configured to ignore them. */
export const sessionMark = { name: 'bookreservation.session', value: 'pinned' }

export const session = {
  [sessionMark.name]: sessionMark.value,
  // The driver parses times by `new Date`, and bytes and numbers in these formats.
  DateStyle: 'ISO, MDY',
  TimeZone: 'UTC',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  // A commit is one statement, which waits for other transactions on its rows and continues with their result.
  default_transaction_isolation: 'read committed',
  // An acknowledged commit is on disk.
  synchronous_commit: 'on',
  // Each pool sets its own timeouts. Its connections may be idle.
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  exit_on_error: 'off',
}
