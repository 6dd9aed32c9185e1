/**
 * BullMQ: a job queue in Redis. A worker of concurrency 1 runs the jobs of a queue one after the other; the jobs of a book go
 * to the queue of its number. https://docs.bullmq.io/guide/going-to-production
 */
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { partitionOf } from '../../../streams/partition.ts'
import { serveReservations } from '../../bench/baseline/face.ts'
import { createTables } from '../../bench/baseline/tables.ts'
import { decideSql, queues, statusOf, type Wish } from './decision.ts'
import { Waiting } from './waiting.ts'

const sql = postgres(process.env.DATABASE_URL!, { max: queues, onnotice: () => {} })
await createTables(sql)

const { hostname: host, port, password } = new URL(process.env.REDIS_URL!)
const connection = { host, port: Number(port), password, maxRetriesPerRequest: null }
const prefix = 'bullmq'
const waiting = new Waiting()

const decide = async ({ id, bookid, userid }: Wish) =>
  statusOf(await sql.unsafe(decideSql, [id, bookid, userid], { prepare: true }))

const producer = new Redis(connection)
const books = Array.from({ length: queues }, (_, number) => {
  const name = `books-${number}`
  const worker = new Worker<Wish>(name, async ({ data }) => waiting.decided(data.id, await decide(data)), {
    connection,
    prefix,
    concurrency: 1,
  })
  worker.on('error', (error) => console.error(error))
  worker.on('failed', (_, error) => console.error(error))
  return new Queue<Wish>(name, {
    connection: producer,
    prefix,
    defaultJobOptions: { removeOnComplete: true, attempts: 3 },
  })
})

await serveReservations(async (id, bookid, userid) => {
  const decided = waiting.for(id)
  await books[partitionOf(bookid, queues)]!.add('reserve', { id, bookid, userid }, { jobId: id })
  return decided
})
