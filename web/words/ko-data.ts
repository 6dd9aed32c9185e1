import type { DataWords } from './en-data.ts'

export const koData: DataWords = {
  myData: {
    title: '내 정보',
    link: '내 정보 내려받기 또는 삭제',
    keptTitle: '보관하는 정보',
    kept: '예약 내역, 알림 받는 방법, 보낸 알림을 보관합니다.',
    reservations: '예약 내역 내려받기',
    notices: '설정과 알림 내려받기',
    eraseTitle: '삭제',
    erase:
      '예약 내역에서 이름이 지워지고, 설정과 알림이 삭제됩니다. 되돌릴 수 없습니다. 책의 이력에는 최대 90일 또는 도서관이 정한 기간 동안 이름이 남습니다.',
    confirm: '예, 내 정보를 삭제합니다',
    submit: '삭제',
    unconfirmed: '삭제에 동의해 주세요.',
    active:
      '진행 중인 예약이나 대출 중인 책이 있습니다. 먼저 예약을 취소하고 책을 반납해 주세요. 취소가 처리되는 데 잠시 걸릴 수 있습니다.',
  },
}
