/** A dump is restored as `deploy/README.md` says, with the programs of a Postgres on this machine. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { eventually, inParallel } from '../../tests/doubles/eventually.ts'
import { storeFolder } from '../../tests/doubles/store-folder.ts'
import {
  everyNotice,
  everyReservation,
  receive,
  reserve,
  reserveAndWait,
  stockOf,
} from '../../tests/harness/acts.ts'
import { audit } from '../../tests/harness/audit.ts'
import { withDatabase } from '../../tests/harness/database.ts'
import { startOwnSystem } from '../../tests/harness/system.ts'
import { startPostgres } from '../local/servers/postgres.ts'
import { partitions, printed, readers, runRestored, startOf, stopAll } from '../ops/restored/testing.ts'
import { postgresServers } from './servers.ts'

const run = promisify(execFile)
const found = postgresServers().find(({ path }) => existsSync(join(path, 'pg_dump')))

test.skipIf(!found)(
  'what a restored dump has undone has no effect, decided or not',
  { timeout: 120_000 },
  async (context) => {
    const bin = found!.path
    const dir = await storeFolder('dump')
    try {
      await using server = await startPostgres({ dataDir: join(dir, 'postgres'), fast: true, bin })
      await using system = await startOwnSystem(context, { postgresUrl: server.url, partitions })
      const url = withDatabase(server.url, system.redisPrefix)
      await receive(system, 'book', 5)
      const kept = await reserveAndWait(system.reservation, 'book', 'ann')
      // A notice that was sent but not recorded yet would be sent again.
      await eventually(async () => (await everyNotice(system, '&status=Sent')).length === 1)

      const dump = join(dir, 'backup.dump')
      await run(join(bin, 'pg_dump'), ['-Fc', '-f', dump, url])
      await reserveAndWait(system.reservation, 'book', 'cem')
      await eventually(() => printed(system).length === 2)
      await system.processes.stock[0]!.stop()
      await inParallel(readers(8), 8, (userid) => reserve(system.reservation, 'book', userid))
      await stopAll(system)

      await system.sql`drop schema if exists reservation, stock, notifier, web cascade`
      await run(join(bin, 'pg_restore'), ['-d', url, dump])
      await runRestored(system, { reservation: url, stock: url, notifier: url })
      await startOf(system, 'stock', 'reservation', 'notifier')
      const later = await reserveAndWait(system.reservation, 'book', 'ben')

      await audit(system, { received: { book: 5 }, accepted: [kept, later] })
      expect(await stockOf(system, 'book')).toMatchObject({ qty: 3, held: 2 })
      expect((await everyReservation(system)).map((it) => it.userid).sort()).toEqual(['ann', 'ben'])
      await eventually(() => printed(system).some((line) => line.startsWith('ben ')), { timeoutMs: 30_000 })
      expect(printed(system).map((line) => line.split(' ')[0])).toEqual(['ann', 'cem', 'ben'])
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  },
)
