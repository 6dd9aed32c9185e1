import type { ServiceName } from '../../platform/config.ts'
import { NotifierApi } from './notifier.ts'
import { ReservationApi } from './reservation.ts'
import { StockApi } from './stock.ts'

export type Apis = { reservation: ReservationApi; stock: StockApi; notifier: NotifierApi }

export const openApis = (urls: Record<ServiceName, string>): Apis => ({
  reservation: new ReservationApi(urls.reservation),
  stock: new StockApi(urls.stock),
  notifier: new NotifierApi(urls.notifier),
})
