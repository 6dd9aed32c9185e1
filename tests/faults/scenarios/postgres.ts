/** Postgres loses connections, stops, and is slow. Without it nothing is accepted, and every request fails promptly. */
import openCrowd from 'postgres'
import { range } from '../../doubles/eventually.ts'
import type { Reservation } from '../../harness/acts.ts'
import { answerOf } from '../history.ts'
import { stranger } from '../population.ts'
import type { Stage } from '../stage.ts'
import type { Needs, Scenario } from './scenario.ts'

/** The only error is 503, within 2 s; the rest is for a busy machine. */
const refusesPromptly: Needs = { only503: true, promptMs: 2_500, acceptedMs: 5_000, decidedMs: 30_000 }

export const postgres: Scenario[] = [
  {
    name: 'postgres-killed-often',
    title: 'Postgres is killed right after its answers, repeatedly',
    needs: refusesPromptly,
    async fault(stage) {
      for (const round of range(6)) await killBehindAnswers(stage, round)
    },
  },
  {
    name: 'postgres-backends-killed',
    title: 'backends of Postgres are killed, ten a second',
    needs: { share: 0.99, afterRetry: true, decidedMs: 5_000, acceptedMs: 5_000 },
    async fault(stage) {
      stage.note('pg_terminate_backend storm')
      await stage.often(8, 100, () => killBackend(stage))
    },
  },
  {
    name: 'postgres-stopped',
    title: 'Postgres stops immediately, and is restarted',
    needs: refusesPromptly,
    async fault(stage) {
      await stage.seconds(1)
      const seconds = stage.random.pick([1, 3, 8, 20, 60])
      stage.note(`immediate stop of Postgres for ${seconds} s`)
      stage.world.postgres.signal('SIGQUIT')
      await stage.world.postgres.stop()
      await stage.seconds(seconds)
      await stage.world.postgres.start()
    },
  },
  {
    name: 'postgres-crowded',
    title: 'other clients take every connection of Postgres',
    needs: refusesPromptly,
    async fault(stage) {
      const { sql, postgres: server } = stage.world
      stage.note('a crowd takes every connection')
      // This connection exists before theirs.
      const admin = await sql.reserve()
      const crowd = openCrowd(server.url, {
        max: connectionsMax,
        connect_timeout: 2,
        connection: { application_name: 'crowd' },
        onnotice: () => {},
      })
      const staying = range(connectionsMax).map(() => crowd`select pg_sleep(60)`.catch(() => {}))
      await stage.often(4, 500, async () => {
        await admin`
          select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bookreservation-%'`
      })
      await crowd.end({ timeout: 0 })
      // A sleeping backend does not notice that its client is gone.
      await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'crowd'`
      admin.release()
      await Promise.all(staying)
    },
  },
  {
    name: 'postgres-locked',
    title: 'another client locks tables for longer than statements may take',
    needs: refusesPromptly,
    async fault(stage) {
      for (const table of stage.random.shuffled(tables).slice(0, 3)) {
        await lock(stage, table, stage.random.pick([2, 4, 10]))
        await stage.seconds(0.5)
      }
    },
  },
]

/** Pauses the load, so that nothing else makes Postgres write to disk, and reads every answered reservation again. */
async function killBehindAnswers(stage: Stage, round: number): Promise<void> {
  const { world, requests } = stage
  await stage.pause()
  const [book] = await world.sql<{ bookid: string }[]>`
    select bookid from stock.book order by available desc limit 1`
  const asked = range(8).map((n) =>
    requests.make({
      kind: 'reserve',
      bookid: book!.bookid,
      userid: stranger,
      waitS: 3,
      key: `killed-${round}-${n}`,
    }),
  )
  await Promise.race(asked)
  stage.note('SIGKILL to Postgres')
  await world.postgres.crash()
  await world.postgres.start()
  const answered = (await Promise.all(asked)).flatMap((call) => answerOf<Reservation>(call) ?? [])
  await Promise.all(answered.map(({ reservationid }) => requests.make({ kind: 'look', reservationid })))
  stage.resume()
}

/** More than Postgres allows. */
const connectionsMax = 320

const tables = [
  ['reservation', 'reservation'],
  ['reservation', 'mailbox'],
  ['stock', 'book'],
  ['stock', 'mailbox'],
  ['notifier', 'undelivered'],
] as const

/** In any state: idle, in the middle of a statement, in a transaction. */
export async function killBackend({ world, random }: Stage): Promise<void> {
  const backends = await world.sql<{ pid: number }[]>`
    select pid from pg_stat_activity where application_name like 'bookreservation-%' order by pid`
  if (backends.length > 0) await world.sql`select pg_terminate_backend(${random.pick(backends).pid})`
}

async function lock(stage: Stage, [schema, table]: (typeof tables)[number], seconds: number): Promise<void> {
  stage.note(`${schema}.${table} is locked for ${seconds} s`)
  const sql = await stage.world.sql.reserve()
  try {
    await sql`begin`
    await sql`lock table ${sql(schema)}.${sql(table)} in access exclusive mode`
    await stage.seconds(seconds)
  } finally {
    await sql`rollback`
    sql.release()
  }
}
