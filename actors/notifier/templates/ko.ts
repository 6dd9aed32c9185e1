import type { StockRefusalReason } from '../../messages.ts'
import type { WordedKind } from '../plan/notice.ts'
import {
  alertOf,
  countByStatus,
  describeAlert,
  type Fact,
  failureOf,
  type Language,
  listNames,
  type Shown,
  timeOfDay,
} from './wording.ts'

const kindNames: Record<WordedKind, string> = {
  reserved: '예약 완료',
  failed: '예약 실패',
  cancelled: '예약 취소',
  'purchase-requested': '구매 요청',
  'delivery-failed': '전송 실패',
  alert: '경보',
  queued: '예약 대기',
  ready: '도서 준비',
  reminder: '기한 안내',
  extended: '기한 변경',
  expired: '예약 만료',
  'taken-back': '다시 대기',
}

const notReserved = '신청하신 도서를 예약하지 못했습니다.'
/** `ended`: the reservation had waited, or a copy was set aside for it. */
const reasons: Record<StockRefusalReason, { body: string[]; short: string; ended?: true }> = {
  OutOfStock: {
    body: [notReserved, '지금은 예약할 수 있는 도서가 없습니다. 구매 담당자에게 추가 구매를 요청했습니다.'],
    short: '재고 없음',
  },
  UnknownBook: {
    body: [notReserved, '저희가 아직 소장하지 않은 도서입니다. 구매 담당자에게 구매를 요청했습니다.'],
    short: '미소장',
  },
  QueueFull: {
    body: [
      notReserved,
      '이미 많은 분이 기다리고 계셔서 더 이상 대기를 받을 수 없습니다. 나중에 다시 신청해 주세요.',
    ],
    short: '대기 인원 초과',
  },
  AlreadyReserved: {
    body: [
      notReserved,
      '같은 도서를 이미 예약하셨습니다. 그 예약을 방금 취소하셨다면 잠시 뒤에 다시 예약해 주세요.',
    ],
    short: '이미 예약하신 도서',
  },
  AlreadyHas: {
    body: [notReserved, '이미 이 도서를 가지고 계십니다. 반납하신 뒤에 다시 예약하실 수 있습니다.'],
    short: '이미 대출하신 도서',
  },
  NotAcquired: {
    ended: true,
    body: ['이 도서를 더 구매하지 않기로 하여 예약이 종료되었습니다.'],
    short: '구매하지 않음',
  },
  WaitLapsed: {
    ended: true,
    body: [
      '대기 기간이 끝날 때까지 차례가 오지 않아 예약이 종료되었습니다.',
      '계속 원하시면 다시 예약해 주세요.',
    ],
    short: '대기 기간 만료',
  },
  CopyWithdrawn: {
    ended: true,
    body: ['따로 보관해 두었던 도서를 드릴 수 없게 되어 예약이 종료되었습니다. 불편을 드려 죄송합니다.'],
    short: '도서 제공 불가',
  },
}

const cancellations: Record<string, string> = {
  CustomerAsked: '요청하신 대로 예약을 취소했습니다.',
  Staff: '담당자가 예약을 취소했습니다.',
  Duplicate: '같은 도서의 예약이 하나 더 있어 이 예약을 취소했습니다.',
}

const losses: Record<string, string> = {
  Lost: '따로 보관해 두었던 도서가 분실되어 드릴 수 없게 되었습니다.',
  Damaged: '따로 보관해 두었던 도서가 파손되어 드릴 수 없게 되었습니다.',
}
const unavailable = '따로 보관해 두었던 도서를 드릴 수 없게 되었습니다.'

const factsOf = (subject: Shown): Fact[] => [
  ['도서', subject.title ?? subject.bookid],
  ['지은이', subject.author ?? null],
  ['찾아가실 기한', subject.until],
  ['대기 순번', subject.position?.toString() ?? null],
  ['전하는 말', subject.note],
  ['도서 번호', subject.title ? subject.bookid : null],
  ['예약 번호', subject.reservationid],
  ['이용자', subject.userid],
]

/** The title comes before the words, an id after them. Neither is followed by a particle, which would depend on its last letter. */
function headline({ title, bookid }: Shown, words: string): string {
  if (title) return `[도서 예약] 『${title}』 ${words}`
  return bookid === null ? `[도서 예약] ${words}` : `[도서 예약] ${words}: ${bookid}`
}

function brief({ title, bookid }: Shown, words: string): string {
  if (title) return `[도서 예약] 『${title}』 ${words}`
  return bookid === null ? `[도서 예약] ${words}` : `[도서 예약] ${bookid}: ${words}`
}

const weekdays = new Intl.DateTimeFormat('ko', { weekday: 'short', timeZone: 'UTC' })

export const korean: Language = {
  code: 'ko',
  someBook: '신청하신 도서',
  factsOf,
  instant(wall, year) {
    const day = `${wall.getUTCMonth() + 1}월 ${wall.getUTCDate()}일(${weekdays.format(wall)})`
    return `${year ? `${wall.getUTCFullYear()}년 ` : ''}${day} ${timeOfDay(wall)}`
  },
  templates: {
    reserved: (subject) => ({
      title: headline(subject, '예약이 완료되었습니다'),
      body: [
        '예약이 완료되었습니다. 신청하신 도서 한 권을 따로 보관해 두었습니다.',
        ...(subject.hasRules ? ['찾아가실 수 있게 되면 다시 알려 드리겠습니다.'] : []),
      ],
      short: brief(subject, '예약이 완료되었습니다.'),
    }),

    failed(subject) {
      const { body, short, ended } = reasons[subject.reason as StockRefusalReason] ?? reasons.OutOfStock
      const end = ended ? '예약이 종료되었습니다' : '예약하지 못했습니다'
      return {
        title: headline(subject, end),
        body,
        short: brief(subject, `${end}(${short}).`),
      }
    },

    cancelled: (subject) => ({
      title: headline(subject, '예약이 취소되었습니다'),
      body: [cancellations[subject.cause ?? ''] ?? '예약이 취소되었습니다. 따로 하실 일은 없습니다.'],
      short: brief(subject, '예약이 취소되었습니다.'),
    }),

    queued(subject) {
      const place =
        subject.position === null ? '대기자로 등록되었습니다' : `대기 순번은 ${subject.position}번입니다`
      return {
        title: headline(subject, place),
        body: ['지금 바로 드릴 수 있는 도서가 없습니다.', `${place}. 차례가 되면 알려 드리겠습니다.`],
        short: brief(subject, `${place}.`),
      }
    },

    ready: (subject) => ({
      title: headline(subject, '도서가 준비되었습니다'),
      body: [
        '신청하신 도서가 준비되었습니다.',
        subject.until === null ? '편하실 때 찾아가 주세요.' : `${subject.until}까지 찾아가 주세요.`,
      ],
      short: brief(
        subject,
        subject.until === null ? '도서가 준비되었습니다.' : `${subject.until}까지 찾아가 주세요.`,
      ),
    }),

    reminder: (subject) => ({
      title: headline(subject, `${subject.until}까지 찾아가 주세요`),
      body: [
        '준비된 도서를 아직 찾아가지 않으셨습니다.',
        `${subject.until}까지 보관해 드립니다. 그 뒤에는 예약이 만료됩니다.`,
      ],
      short: brief(subject, `잊지 말고 ${subject.until}까지 찾아가 주세요.`),
    }),

    extended: (subject) => ({
      title: headline(subject, '찾아가실 기한이 바뀌었습니다'),
      body: [`이제 ${subject.until}까지 찾아가실 수 있습니다.`],
      short: brief(subject, `이제 ${subject.until}까지 찾아가실 수 있습니다.`),
    }),

    expired: (subject) => ({
      title: headline(subject, '예약이 만료되었습니다'),
      body: ['기한까지 도서를 찾아가지 않으셔서 예약이 만료되었습니다.', '계속 원하시면 다시 예약해 주세요.'],
      short: brief(subject, '기한이 지나 예약이 만료되었습니다.'),
    }),

    'taken-back': (subject) => ({
      title: headline(subject, '다시 대기하게 되었습니다'),
      body: [
        `${losses[subject.cause ?? ''] ?? unavailable} 불편을 드려 죄송합니다.`,
        '다시 대기하시게 되며, 받으신 순번이 있으면 그대로 유지됩니다. 같은 도서의 다른 책이 준비되면 알려 드리겠습니다.',
      ],
      short: brief(subject, '도서에 문제가 있어 다시 대기하시게 되었습니다.'),
    }),

    'purchase-requested'(subject) {
      const { shortage, waiting } = subject
      const hasRefused = shortage || waiting === 0
      const refused = hasRefused ? `남은 도서가 없어 예약 ${shortage}건을 받지 못했습니다. ` : ''
      const waits = waiting > 0 ? `${waiting}명이 기다리고 있습니다. ` : ''
      const counts = [hasRefused && `${shortage}권 부족`, waits && `${waiting}명 대기`]
      return {
        title: headline(subject, '구매 요청'),
        body: [`${refused}${waits}구매를 부탁드립니다.`],
        short: brief(subject, `구매 요청, ${counts.filter(Boolean).join(', ')}.`),
      }
    },

    'delivery-failed'(subject) {
      const { channel, kind, noticeid, more } = failureOf(subject)
      return {
        title: `[도서 예약] 알림을 전송하지 못했습니다: ${channel}`,
        body: [
          `'${kindNames[kind]}' 알림을 ${channel} 채널로 전송하지 못했습니다. 더 이상 재시도하지 않습니다.`,
          ...(more > 0 ? [`같은 채널에서 전송하지 못한 알림이 ${more}건 더 있습니다.`] : []),
        ],
        short: `[도서 예약] ${channel}: 전송하지 못한 알림 ${more + 1}건.`,
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
