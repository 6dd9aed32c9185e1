/**
 * DBOS: durable workflows in Postgres. Of a queue that is partitioned by book, one workflow of a book runs at a time.
 * https://docs.dbos.dev/typescript/tutorials/queue-tutorial
 */
import { DBOS } from '@dbos-inc/dbos-sdk'
import postgres from 'postgres'
import { serveReservations } from '../../bench/baseline/face.ts'
import { createTables } from '../../bench/baseline/tables.ts'
import { decideSql, statusOf } from './decision.ts'
import { Waiting } from './waiting.ts'

const databaseUrl = process.env.DATABASE_URL!
const sql = postgres(databaseUrl, { max: 16, onnotice: () => {} })
await createTables(sql)

const queueName = 'books'
/** Its default is a second, which would be the wait of every second customer of a book. */
const minPollingIntervalMs = 10

const waiting = new Waiting()
const reserve = DBOS.registerWorkflow(
  async (id: string, bookid: string, userid: string) => {
    const decision = await DBOS.runStep(
      async () => statusOf(await sql.unsafe(decideSql, [id, bookid, userid], { prepare: true })),
      { name: 'decide' },
    )
    waiting.decided(id, decision)
    return decision
  },
  { name: 'reserve' },
)

DBOS.setConfig({
  name: 'bookreservation',
  systemDatabaseUrl: databaseUrl,
  systemDatabasePoolSize: 20,
  logLevel: 'error',
})
await DBOS.launch()
await DBOS.registerQueue(queueName, {
  partitionConcurrency: 1,
  minPollingIntervalMs,
  onConflict: 'always_update',
})

await serveReservations(async (id, bookid, userid) => {
  const decided = waiting.for(id)
  const enqueueOptions = { queuePartitionKey: bookid }
  await DBOS.startWorkflow(reserve, { workflowID: id, queueName, enqueueOptions })(id, bookid, userid)
  return decided
})
