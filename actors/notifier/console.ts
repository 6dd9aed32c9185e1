/** Tells everything on standard output, one line each, as the original did. */
import type { Line, Series } from '../busy-lines.ts'
import { traceIdOf } from '../http/trace.ts'
import type { Alert, Kind, Subject } from './plan/notice.ts'

const texts: Record<Kind, string> = {
  reserved: '##### 예약 완료 되었습니다 #####',
  failed: '##### 예약 실패 하였습니다 #####',
  cancelled: '##### 예약 취소 되었습니다 #####',
  'purchase-requested': '##### 구매 요청 하였습니다 #####',
  'delivery-failed': '##### 알림을 전달하지 못했습니다 #####',
  alert: '##### 경보 #####',
}

export type ConsoleOptions = {
  /** `flush` has its reader given the lines before what they tell of is committed. */
  log: { info(facts: object, text: string): void; flush(): void }
  /** Of those that are about a reservation or a purchase: in a rush there are thousands a second. */
  lines: Pick<Series, 'add'>
  now(): Date
}

/** What a line tells of a notice. */
export type Told = Subject & {
  noticeid: string
  traceparent: string | null
  /** When that happened which it tells of. */
  occurredAt?: string
}

export const consoleTeller =
  ({ log, lines, now }: ConsoleOptions) =>
  (notices: Told[]): void => {
    const at = now().getTime()
    for (const notice of notices) {
      const write = () => log.info(factsOf(notice), texts[notice.kind])
      if (forOperators(notice.kind)) write()
      else lines.add(lineOf(notice, at), write)
    }
    log.flush()
  }

/** They are few, and each is news. */
const forOperators = (kind: Kind) => kind === 'alert' || kind === 'delivery-failed'

const lineOf = ({ kind, noticeid, occurredAt }: Told, at: number): Line => ({
  outcome: kind,
  id: noticeid,
  ...(occurredAt !== undefined && { waitMs: at - Date.parse(occurredAt) }),
})

const briefly = ({ status, labels, annotations }: Alert) => ({ status, labels, annotations })

/** A fact that there is none of is left out. */
const factsOf = (notice: Told) => ({
  noticeid: notice.noticeid,
  reservationid: notice.reservationid ?? undefined,
  userid: notice.userid ?? undefined,
  bookid: notice.bookid ?? undefined,
  reason: notice.reason ?? undefined,
  shortage: notice.shortage ?? undefined,
  alerts: notice.details?.type === 'alerts' ? notice.details.alerts.map(briefly) : undefined,
  traceid: traceIdOf(notice.traceparent),
})
