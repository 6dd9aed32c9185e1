/**
 * graphile-worker: a job queue in Postgres. Jobs of one named queue run one after the other; a book's jobs go to the
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
      // A job that is added while its queue is locked is found by looking; its default is two seconds.
      pollInterval: 100,
      // Neither of its batches: a queue stays locked until its job's completion is written, and whoever looked for its
      // next job before finds none until the next poll.
      // At `info` it writes a line for each job.
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
      // Named, it is prepared once for each connection.
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
