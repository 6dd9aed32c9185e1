import type { Kind, Subject } from '../plan/notice.ts'
import { alertOf, countByStatus, describeAlert, failureOf, type Language, listNames } from './wording.ts'

const kindNames: Record<Kind, string> = {
  reserved: '예약 완료',
  failed: '예약 실패',
  cancelled: '예약 취소',
  'purchase-requested': '구매 요청',
  'delivery-failed': '전달 실패',
  alert: '경보',
}

const factsOf = (subject: Subject): [string, string | null][] => [
  ['도서', subject.title ?? subject.bookid],
  ['지은이', subject.author ?? null],
  ['도서 번호', subject.title ? subject.bookid : null],
  ['예약 번호', subject.reservationid],
  ['이용자', subject.userid],
]

/** The title comes before the words, an id after them. Neither is followed by a particle, which would depend on its last letter. */
function headline({ title, bookid }: Subject, words: string): string {
  if (title) return `[도서 예약] 『${title}』 ${words}`
  return bookid === null ? `[도서 예약] ${words}` : `[도서 예약] ${words}: ${bookid}`
}

function brief({ title, bookid }: Subject, words: string): string {
  if (title) return `[도서 예약] 『${title}』 ${words}`
  return bookid === null ? `[도서 예약] ${words}` : `[도서 예약] ${bookid}: ${words}`
}

export const korean: Language = {
  code: 'ko',
  someBook: '신청하신 도서',
  templates: {
    reserved: (subject) => ({
      title: headline(subject, '예약이 완료되었습니다'),
      body: ['예약이 완료되었습니다. 신청하신 도서 한 권을 따로 보관해 두었습니다.'],
      short: brief(subject, '예약이 완료되었습니다.'),
      facts: factsOf(subject),
    }),

    failed(subject) {
      const isUnknown = subject.reason === 'UnknownBook'
      return {
        title: headline(subject, '예약하지 못했습니다'),
        body: [
          '신청하신 도서를 예약하지 못했습니다.',
          isUnknown
            ? '저희가 아직 소장하지 않은 도서입니다. 구매 담당자에게 구매를 요청했습니다.'
            : '지금은 예약할 수 있는 도서가 없습니다. 구매 담당자에게 추가 구매를 요청했습니다.',
        ],
        short: brief(subject, `예약하지 못했습니다(${isUnknown ? '미소장' : '재고 없음'}).`),
        facts: factsOf(subject),
      }
    },

    cancelled: (subject) => ({
      title: headline(subject, '예약이 취소되었습니다'),
      body: ['예약이 취소되었습니다. 따로 하실 일은 없습니다.'],
      short: brief(subject, '예약이 취소되었습니다.'),
      facts: factsOf(subject),
    }),

    'purchase-requested': (subject) => ({
      title: headline(subject, '구매 요청'),
      body: [`남은 도서가 없어 예약 ${subject.shortage}건을 받지 못했습니다. 구매를 부탁드립니다.`],
      short: brief(subject, `구매 요청, ${subject.shortage}권 부족.`),
      facts: factsOf(subject),
    }),

    'delivery-failed'(subject) {
      const { channel, kind, noticeid, more } = failureOf(subject)
      return {
        title: `[도서 예약] 알림을 전달하지 못했습니다: ${channel}`,
        body: [
          `'${kindNames[kind]}' 알림을 ${channel} 채널로 전달하지 못했습니다. 더 이상 재시도하지 않습니다.`,
          ...(more > 0 ? [`같은 채널에서 전달하지 못한 알림이 ${more}건 더 있습니다.`] : []),
        ],
        short: `[도서 예약] ${channel}: 전달하지 못한 알림 ${more + 1}건.`,
        facts: [['사유', subject.reason], ['알림 번호', noticeid], ...factsOf(subject)],
      }
    },

    alert(subject) {
      const { alerts, externalURL, truncated } = alertOf(subject)
      const { firing, resolved } = countByStatus(alerts)
      const counts = [firing && `발생 ${firing}건`, resolved && `해소 ${resolved}건`]
      const title = `[경보] ${counts.filter(Boolean).join(', ')}: ${listNames(alerts)}`
      return {
        title,
        body: [
          ...alerts.map(
            (it) => `${it.status === 'firing' ? '발생' : '해소'}: ${describeAlert(it)} (${it.startsAt}부터)`,
          ),
          ...(truncated > 0 ? [`표시하지 않은 경보가 ${truncated}건 더 있습니다.`] : []),
        ],
        short: title,
        facts: [['Alertmanager', externalURL || null]],
      }
    },
  },
}
