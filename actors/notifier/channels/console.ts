/** Tells everything on standard output, one line each, as the original did. */
import { traceIdOf } from '../../http/trace.ts'
import type { Alert, Kind, Subject } from '../notice.ts'

const lines: Record<Kind, string> = {
  reserved: '##### 예약 완료 되었습니다 #####',
  failed: '##### 예약 실패 하였습니다 #####',
  cancelled: '##### 예약 취소 되었습니다 #####',
  'purchase-requested': '##### 구매 요청 하였습니다 #####',
  'delivery-failed': '##### 알림을 전달하지 못했습니다 #####',
  alert: '##### 경보 #####',
}

/** Lines are kept by `log` and written by `flush`, many at a time. */
export type LineLog = { log: { info(facts: object, text: string): void }; flush(): void }

/** What a line tells of a notice. */
export type Told = Subject & { noticeid: string; traceparent: string | null }

export const consoleTeller =
  ({ log, flush }: LineLog) =>
  (notices: Told[]): void => {
    for (const notice of notices) log.info(factsOf(notice), lines[notice.kind])
    flush()
  }

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
