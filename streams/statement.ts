/**
 * Statements as templates, which may be parts of other statements.
 *
 * The driver makes a promise and five closures of every part, so the thirty parts of a commit would cost as much as waking the
 * process for its answer. Here a part is a small object, and the driver gets the whole text.
 *
 * A statement that the driver has rejected without sending it is sent again: postgres.js 3.4.9 keeps an error that came before
 * its connection broke: of a backend that was ended, or of a statement whose end was cut off. It rejects the next statement of
 * that connection with that error, unsent. Believing it would mean a 503 without a reason, or a dead letter for a message because of
 * another one's data.
 */
import postgres, { type Sql } from 'postgres'

/**
 * @param sqls a statement goes to the first of these pools that have the fewest under way. So statements that follow one another go
 *   to the same backend of Postgres, which has what they need in its caches. A driver's pool takes its connections in turn.
 * @returns all connections. A statement is sent when it is awaited. A connection is not to be reserved from several pools: statements
 *   would wait for it.
 */
export function statementTag(sqls: Sql[]): Sql {
  const pools = sqls.map((sql): Pool => ({ sql, underWay: 0 }))
  const [first] = sqls as [Sql]
  const tag = (strings: unknown, ...args: unknown[]) =>
    isTemplate(strings)
      ? new Statement(pools, strings, args)
      : Reflect.apply(first as (...all: unknown[]) => unknown, undefined, [strings, ...args])
  const end: Sql['end'] = async (options) => {
    await Promise.all(sqls.map((it) => it.end(options)))
  }
  return Object.assign(Object.setPrototypeOf(tag, first), { end })
}

type Pool = { sql: Sql; underWay: number }

const isTemplate = (value: unknown): value is TemplateStringsArray => Array.isArray(value) && 'raw' in value

class Statement {
  readonly pools: Pool[]
  readonly strings: TemplateStringsArray
  readonly args: unknown[]
  #answer: Promise<unknown> | undefined

  constructor(pools: Pool[], strings: TemplateStringsArray, args: unknown[]) {
    this.pools = pools
    this.strings = strings
    this.args = args
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting a statement sends it.
  then(...handlers: Parameters<Promise<unknown>['then']>) {
    return this.#answered().then(...handlers)
  }

  catch(onError: Parameters<Promise<unknown>['catch']>[0]) {
    return this.#answered().catch(onError)
  }

  finally(onEnd: () => void) {
    return this.#answered().finally(onEnd)
  }

  #answered(): Promise<unknown> {
    if (!this.#answer) {
      const asked = ask(this)
      this.#answer = asked.then(undefined, (error) => {
        if (error instanceof postgres.PostgresError && wasUnsent(asked)) return ask(this)
        throw error
      })
    }
    return this.#answer
  }
}

type Query = Promise<unknown> & { state: unknown }

/** The driver sets `state` when it sends a statement. */
const wasUnsent = (query: Query) => query.state === null

function ask(statement: Statement): Query {
  const pool = statement.pools.reduce((least, it) => (it.underWay < least.underWay ? it : least))
  const query = queryOf(statement, pool.sql)
  const done = () => {
    pool.underWay--
  }
  pool.underWay++
  query.then(done, done)
  return query
}

function queryOf(statement: Statement, sql: Sql): Query {
  const parameters: unknown[] = []
  const text = textOf(statement, parameters)
  if (parameters.some(isOfDriver)) return toQuery(statement, sql)
  const options = { prepare: true, simple: false }
  return sql.unsafe(text, parameters as never[], options) as unknown as Query
}

/** @param parameters those of the text are added. */
function textOf({ strings, args }: Statement, parameters: unknown[]): string {
  let text = strings[0]!
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]
    if (arg instanceof Statement) text += textOf(arg, parameters)
    else if (isList(arg)) for (const part of arg) text += ` ${textOf(part, parameters)}`
    else text += `$${parameters.push(arg)}`
    text += strings[i + 1]!
  }
  return text
}

const isList = (arg: unknown): arg is Statement[] => Array.isArray(arg) && arg[0] instanceof Statement

/** Whether the driver must write it into the text, such as an identifier. */
const isOfDriver = (parameter: unknown) =>
  typeof parameter === 'object' && parameter !== null && 'then' in parameter

function toQuery({ strings, args }: Statement, sql: Sql): Query {
  const partOf = (arg: unknown): unknown => {
    if (arg instanceof Statement) return toQuery(arg, sql)
    return isList(arg) ? arg.map((it) => toQuery(it, sql)) : arg
  }
  const tag = sql as unknown as (strings: TemplateStringsArray, ...args: unknown[]) => Query
  return tag(strings, ...args.map(partOf))
}
