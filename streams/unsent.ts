/**
 * Resends a statement that the driver has rejected without sending it.
 *
 * postgres.js 3.4.9 keeps an error that came before its connection broke: of a backend that was ended, or of a statement
 * whose end was cut off. It rejects the next statement of that connection with that error, unsent. Believing it would mean a
 * needless 503, or a dead letter for a message because of another one's data.
 */
import postgres, { type Sql } from 'postgres'

/** A statement, or a part of one. It is sent when it is awaited. */
type Statement = Promise<unknown> & { state: unknown }

/** @returns the same connections, which send a statement once more if it was not sent. */
export const resendingUnsent = (sql: Sql): Sql =>
  new Proxy(sql, {
    apply(target, self, args) {
      const ask = () => Reflect.apply(target as (...args: unknown[]) => unknown, self, args)
      const asked = ask()
      return asked instanceof Promise ? resendUnsent(asked as Statement, ask as () => Statement) : asked
    },
  })

function resendUnsent(statement: Statement, askAgain: () => Statement): Statement {
  const ask = statement.then.bind(statement)
  let answer: Promise<unknown> | undefined
  const answered = () => {
    answer ??= ask(undefined, (error) => {
      if (error instanceof postgres.PostgresError && wasUnsent(statement)) return askAgain()
      throw error
    })
    return answer
  }
  return Object.assign(statement, {
    // biome-ignore lint/suspicious/noThenProperty: awaiting a statement sends it.
    then: ((onAnswer, onError) =>
      answered().then(onAnswer, onError)) satisfies Statement['then'] as Statement['then'],
  })
}

/** The driver sets `state` when it sends a statement. */
const wasUnsent = (statement: Statement) => statement.state === null
