/**
 * A row per copy instead of a counter: each request takes a free row that no other transaction has locked, so requests do not
 * wait for each other. One transaction per request, as in `main.ts`.
 */
import postgres from 'postgres'
import { type Decision, serveReservations } from './face.ts'
import { createCopyTables } from './tables.ts'

const poolSize = 10

const sql = postgres(process.env.DATABASE_URL!, { max: poolSize, onnotice: () => {} })
await createCopyTables(sql)

const decide = (id: string, bookid: string, userid: string): Promise<Decision> =>
  sql.begin(async (tx) => {
    const taken = await tx`
      update copy set reservationid = ${id} where copyid = (
        select copyid from copy where bookid = ${bookid} and reservationid is null
        limit 1 for update skip locked)`
    const status = taken.count === 1 ? 'Reserved' : 'Failed'
    await tx`insert into reservation (id, bookid, userid, status) values (${id}, ${bookid}, ${userid}, ${status})`
    return status
  })

await serveReservations(decide)
