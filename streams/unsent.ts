/**
 * Sends a statement that the driver has refused without sending it.
 *
 * postgres.js 3.4.9 keeps an error that came before its connection broke: of a backend that was ended, or of a statement
 * whose end was cut off. It rejects the next statement of that connection with it, unsent. Whoever believed that would
 * answer 503 for nothing, or set an innocent message aside because of another's data.
 */
import postgres from 'postgres'
import type { Sql } from './postgres.ts'

/** A statement, or a part of one: it is sent when somebody waits for it. */
type Statement = Promise<unknown> & { state: unknown }

/** @returns the same connections, on which a statement that was not sent is sent once more. */
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
    // biome-ignore lint/suspicious/noThenProperty: waiting for a statement is what sends it.
    then: ((onAnswer, onError) =>
      answered().then(onAnswer, onError)) satisfies Statement['then'] as Statement['then'],
  })
}

/** The driver notes the connection by which it sends a statement. */
const wasUnsent = (statement: Statement) => statement.state === null
