import type { Kind } from '../../notice.ts'
import { failureOf, type Template } from '../wording.ts'
import { facts } from './facts.ts'

export const deliveryFailed: Template = (subject) => {
  const { channel, kind, noticeid, more } = failureOf(subject)
  return {
    title: `[도서 예약] 알림을 전달하지 못했습니다: ${channel}`,
    body: [
      `${channel} 채널로 보낸 '${kindNames[kind]}' 알림을 전달하지 못했습니다. 다시 시도하지 않습니다.`,
      ...(more > 0 ? [`같은 채널에서 전달하지 못한 알림이 ${more}건 더 있습니다.`] : []),
    ],
    short: `[도서 예약] ${channel}: 전달하지 못한 알림 ${more + 1}건.`,
    facts: [['사유', subject.reason], ['알림 번호', noticeid], ...facts(subject)],
  }
}

const kindNames: Record<Kind, string> = {
  reserved: '예약 완료',
  failed: '예약 실패',
  cancelled: '예약 취소',
  'purchase-requested': '구매 요청',
  'delivery-failed': '전달 실패',
  alert: '경보',
}
