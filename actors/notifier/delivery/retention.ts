import type { Log } from '../../../platform/log.ts'
import { Retention } from '../../../platform/retention.ts'
import type { Sql } from '../../../streams/postgres.ts'
import { pruneAlerts } from '../operators/alerts.ts'
import { pruneNotices } from './queue.ts'

/** Deletes old notices and alerts. */
export const noticeRetention = (sql: Sql, days: number, log: Pick<Log, 'warn'>) =>
  new Retention({
    name: 'prune-notices',
    what: 'notices',
    everyMs: 10_000,
    batchMax: 1_000,
    async prune(max) {
      await pruneAlerts(sql, days)
      return await pruneNotices(sql, days, max)
    },
    log,
  })
