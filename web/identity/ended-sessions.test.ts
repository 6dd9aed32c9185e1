import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { openEndedStore } from '../../platform/identity/ended-store.ts'
import { createDatabase } from '../../tests/harness/database.ts'
import { EndedSessions } from './ended-sessions.ts'

const quiet = { warn: () => {} }
const name = `web_${randomBytes(5).toString('hex')}`
let server: postgres.Sql
let databaseUrl: string
beforeAll(async () => {
  server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
  databaseUrl = await createDatabase(server, inject('postgresUrl'), name, 4)
})
afterAll(async () => {
  await server`drop database if exists ${server(name)} with (force)`
  await server.end({ timeout: 1 })
})

/** It began a minute ago, unless the test says otherwise. */
const fresh = (userid: string, begun = Date.now() / 1_000 - 60) => ({
  sid: randomBytes(32).toString('base64url'),
  userid,
  begun,
})

/** Two processes of the pages, with a clock that both see. */
function two() {
  let nowMs = Date.now()
  const open = () => {
    const store = openEndedStore(databaseUrl)
    return { store, sessions: new EndedSessions({ store, log: quiet, now: () => nowMs }) }
  }
  const [one, other] = [open(), open()]
  return {
    one: one.sessions,
    other: other.sessions,
    wait: (ms: number) => {
      nowMs += ms
    },
    [Symbol.asyncDispose]: async () => void (await Promise.all([one.store.close(), other.store.close()])),
  }
}

test('ES1: a session that ends in one process is over there at once, and in another within seconds', async () => {
  await using processes = two()
  const { one, other, wait } = processes
  const [mina, again] = [fresh('mina'), fresh('mina')]
  expect([await one.isEnded(mina), await other.isEnded(mina)]).toEqual([false, false])
  // Even if the clock of this process is behind.
  wait(-120_000)
  await one.end(mina)
  expect(await one.isEnded(mina)).toBe(true)
  wait(120_000)
  wait(5_001)
  expect(await other.isEnded(mina)).toBe(true)
  expect([await one.isEnded(again), await other.isEnded(again)]).toEqual([false, false])
})

test('ES3: all sessions of a person end, and those that begin later go on', async () => {
  await using processes = two()
  const { one, other, wait } = processes
  const sessions = [fresh('hana'), fresh('hana')]
  wait(10)
  await one.endAll('hana')
  for (const it of sessions) expect([await one.isEnded(it), await other.isEnded(it)]).toEqual([true, true])
  const later = fresh('hana', Date.now() / 1_000 + 60)
  expect([await one.isEnded(later), await other.isEnded(later)]).toEqual([false, false])
  expect(await one.isEnded(fresh('jun'))).toBe(false)
})

test('the table names neither a session nor a person, and forgets what is outdated', async () => {
  await using processes = two()
  const session = fresh('a-very-private-person')
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  try {
    await sql`insert into web.ended_session (key, at) values ('old', now() - interval '41 days')`
    await processes.one.end(session)
    await processes.one.endAll(session.userid)
    const text = JSON.stringify(await sql`select * from web.ended_session`)
    expect(text).not.toContain('old')
    for (const secret of [session.sid, session.userid]) expect(text).not.toContain(secret)
  } finally {
    await sql.end({ timeout: 1 })
  }
})

test('ES2: while the database is away sessions go on, and those that ended here stay ended and are written down later', async () => {
  await using processes = two()
  const [kept, left] = [fresh('mina'), fresh('mina')]
  const real = openEndedStore(databaseUrl)
  const away = openEndedStore('postgres://nobody@127.0.0.1:9/nothing')
  let store = away
  let nowMs = Date.now()
  const warned: unknown[] = []
  const one = new EndedSessions({
    store: { end: (...it) => store.end(...it), ended: (it) => store.ended(it) },
    log: { warn: (...it: unknown[]) => void warned.push(it) },
    now: () => nowMs,
  })
  try {
    const began = performance.now()
    await one.end(left)
    expect([await one.isEnded(kept), await one.isEnded(left)]).toEqual([false, true])
    for (let i = 0; i < 100; i++) await one.isEnded(fresh('jun'))
    expect(performance.now() - began).toBeLessThan(1_500)
    expect(warned).toHaveLength(1)
    store = real
    nowMs += 5_001
    expect(await one.isEnded(kept)).toBe(false)
    expect(await processes.other.isEnded(left)).toBe(true)
  } finally {
    await Promise.all([real.close(), away.close()])
  }
})
