/**
 * graphile-worker: a job queue in Postgres. The jobs of a named queue run one after the other; the jobs of a book go to the
 * queue of its number. https://worker.graphile.org/docs/performance
 */
import { Logger, run } from 'graphile-worker'
import postgres from 'postgres'
import { partitionOf } from '../../../streams/partition.ts'
import { serveReservations } from '../../bench/baseline/face.ts'
import { createTables } from '../../bench/baseline/tables.ts'
import { decideSql, queues, statusOf, type Wish } from './decision.ts'
import { Waiting } from './waiting.ts'

const connectionString = process.env.DATABASE_URL!
const sql = postgres(connectionString, { max: 1, onnotice: () => {} })
await createTables(sql)
await sql.end()

const waiting = new Waiting()
const runner = await run({
  preset: {
    worker: {
      connectionString,
      concurrentJobs: queues,
      maxPoolSize: queues + 10,
      // A job that is added while its queue is locked is found by polling; the default is two seconds.
      pollInterval: 100,
      // Without its batches: a queue stays locked until the completion of its job is written, so a worker that looked for its
      // next job before that finds none until the next poll.
      // At `info` it logs a line per job.
      logger: new Logger(() => (level, message) => {
        if (level === 'error' || level === 'warning') console.error(message)
      }),
    },
  },
  noHandleSignals: true,
  taskList: {
    reserve: async (payload, { withPgClient }) => {
      const { id, bookid, userid } = payload as Wish
      const values = [id, bookid, userid]
      // A named statement is prepared once per connection.
      const { rows } = await withPgClient((client) =>
        client.query<{ status: string }>({ name: 'decide', text: decideSql, values }),
      )
      waiting.decided(id, statusOf(rows))
    },
  },
})

await serveReservations(async (id, bookid, userid) => {
  const decided = waiting.for(id)
  const queueName = `books-${partitionOf(bookid, queues)}`
  await runner.addJob('reserve', { id, bookid, userid }, { queueName })
  return decided
})
