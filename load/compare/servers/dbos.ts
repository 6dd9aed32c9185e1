/**
 * DBOS: durable workflows in Postgres. In a queue that is partitioned by book, one workflow per book runs at a time.
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
/** The default is one second, which every second customer of a book would wait. */
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
