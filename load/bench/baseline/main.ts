/**
 * The baseline: the row lock that most people write first. One transaction per request takes a copy and records the
 * reservation. The product avoids `sql.begin`, because a transaction can be torn when its connection dies, but it is what is
 * commonly written.
 */
import postgres from 'postgres'
import { type Decision, serveReservations } from './face.ts'
import { createTables } from './tables.ts'

const poolSize = 10

const sql = postgres(process.env.DATABASE_URL!, { max: poolSize, onnotice: () => {} })
await createTables(sql)

const decide = (id: string, bookid: string, userid: string): Promise<Decision> =>
  sql.begin(async (tx) => {
    const taken = await tx`update stock set qty = qty - 1 where bookid = ${bookid} and qty > 0`
    const status = taken.count === 1 ? 'Reserved' : 'Failed'
    await tx`insert into reservation (id, bookid, userid, status) values (${id}, ${bookid}, ${userid}, ${status})`
    return status
  })

await serveReservations(decide)
