import type { ServiceName } from '../../platform/config.ts'
import type { Log } from '../../platform/log.ts'
import { Api } from './call.ts'
import { NotifierApi } from './notifier.ts'
import { ReservationApi } from './reservation.ts'
import { StockApi } from './stock.ts'

export type Apis = { reservation: ReservationApi; stock: StockApi; notifier: NotifierApi }

export function openApis(urls: Record<ServiceName, string>, log: Log): Apis {
  const open = (name: ServiceName) => new Api(name, urls[name], log)
  return {
    reservation: new ReservationApi(open('reservation')),
    stock: new StockApi(open('stock')),
    notifier: new NotifierApi(open('notifier')),
  }
}
