/** Prints every notice on standard output, one line each, as the original system did. */

import type { BusyLines, Line } from '../../platform/busy-lines.ts'
import { traceFacts } from '../../platform/http/trace.ts'
import { leasesLast } from '../../streams/lease.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Alert, Kind, Subject } from './plan/notice.ts'
import type { PlannedNotice } from './plan/plan.ts'
import { isForOperator } from './plan/routing.ts'

const texts: Record<Kind, string> = {
  reserved: '##### 예약 완료 되었습니다 #####',
  failed: '##### 예약 실패 하였습니다 #####',
  cancelled: '##### 예약 취소 되었습니다 #####',
  'purchase-requested': '##### 구매 요청 하였습니다 #####',
  queued: '##### 예약 대기 되었습니다 #####',
  ready: '##### 수령 준비 되었습니다 #####',
  reminder: '##### 수령 기한 안내 #####',
  extended: '##### 수령 기한 변경 되었습니다 #####',
  expired: '##### 예약 만료 되었습니다 #####',
  'taken-back': '##### 예약 대기로 돌아갔습니다 #####',
  'handed-over': '##### 수령 완료 되었습니다 #####',
  'delivery-failed': '##### 알림을 전송하지 못했습니다 #####',
  alert: '##### 경보 #####',
}

export type PrintedNotice = Subject & {
  noticeid: string
  traceparent: string | null
  /** When the event happened that the notice is about. */
  occurredAt?: string
}

export type Print = (notices: PrintedNotice[]) => void

type PrintingOptions = {
  log: { info(facts: object, text: string): void; flush(): void }
  /** For notices of reservations and purchases: a rush makes thousands per second. */
  lines: BusyLines
  now(): Date
}

/** @returns a function that hands the lines to the reader of the log before it returns, and so before their notices are committed. */
export function printing({ log, lines, now }: PrintingOptions): Print {
  const series = lines.of('notice printed')
  return (notices) => {
    const at = now().getTime()
    for (const notice of notices) {
      const write = () => log.info(factsOf(notice), texts[notice.kind])
      // Notices for operators are few, and each one matters.
      if (isForOperator(notice.kind)) write()
      else series.add(lineOf(notice, at), write)
    }
    lines.writePending()
    log.flush()
  }
}

const lineOf = ({ kind, noticeid, occurredAt }: PrintedNotice, at: number): Line => ({
  outcome: kind,
  id: noticeid,
  ...(occurredAt !== undefined && { waitMs: at - Date.parse(occurredAt) }),
})

const briefly = ({ status, labels, annotations }: Alert) => ({ status, labels, annotations })

function detailsIn(details: Subject['details']) {
  if (details?.type === 'alerts') return { alerts: details.alerts.map(briefly) }
  if (details?.type === 'purchase') return { waiting: details.waiting }
  if (details?.type !== 'reservation') return undefined
  const { position, pickupBy, cause } = details
  return { position, pickupBy: pickupBy ?? undefined, cause }
}

/** The log omits facts that are undefined. */
const factsOf = (notice: PrintedNotice) => ({
  noticeid: notice.noticeid,
  reservationid: notice.reservationid ?? undefined,
  userid: notice.userid ?? undefined,
  bookid: notice.bookid ?? undefined,
  reason: notice.reason ?? undefined,
  shortage: notice.shortage ?? undefined,
  ...detailsIn(notice.details),
  ...traceFacts(notice.traceparent),
})

export type PrintOnceOptions = {
  sql: Sql
  /** The worker that owns the partitions. */
  worker: string
  /** How much longer its leases must last when it prints, milliseconds. */
  leaseMarginMs: number
  /** Must not throw. */
  print: Print
}

/**
 * Prints notices before the commit that records them as sent, each once.
 *
 * Printed notices are remembered until their commit is known, so a batch that is handled again prints nothing again. Nothing
 * is printed unless the leases outlast the commit by a margin, because the next owner of the partition would print it again.
 * Only a crash, or a pause longer than that margin, between the line and the commit repeats a line, under the same noticeid.
 */
export class PrintOnce {
  readonly #options: PrintOnceOptions
  /** Printed, and not known to be committed. */
  readonly #printed = new Set<string>()

  constructor(options: PrintOnceOptions) {
    this.#options = options
  }

  /**
   * @param existing the notices that an earlier commit recorded.
   * @returns the notices that are new.
   * @throws when the leases are about to run out.
   */
  async print(notices: PlannedNotice[], existing: ReadonlySet<string>): Promise<PlannedNotice[]> {
    const { sql, worker, leaseMarginMs, print } = this.#options
    const due = notices.filter(
      (it) => it.channel === 'console' && !it.superseded && !existing.has(it.noticeid),
    )
    if (due.length === 0) return due
    const partitions = [...new Set(due.map((it) => it.partition))]
    if (!(await leasesLast(sql, worker, partitions, leaseMarginMs)))
      throw new Error('Cannot print notices: the leases are about to run out, or have run out')
    print(due.filter((it) => !this.#printed.has(it.noticeid)))
    for (const notice of due) {
      notice.printed = true
      this.#printed.add(notice.noticeid)
    }
    return due
  }

  /** The notices of these partitions are committed. A partition that was lost may come back with the same events. */
  forget(notices: PlannedNotice[], partitions: ReadonlySet<number>): void {
    for (const { noticeid, partition } of notices)
      if (partitions.has(partition)) this.#printed.delete(noticeid)
  }
}
