import type { ServiceName } from '../../platform/config.ts'
import type { Log } from '../../platform/log.ts'
import { Api, type Credentials } from './call.ts'
import { NotifierApi } from './notifier.ts'
import { ReservationApi } from './reservation.ts'
import { StockApi } from './stock.ts'

export type Apis = { reservation: ReservationApi; stock: StockApi; notifier: NotifierApi }

/** @param credentials absent while identity is off. */
export function openApis(urls: Record<ServiceName, string>, log: Log, credentials?: Credentials): Apis {
  const open = (name: ServiceName) => new Api(name, urls[name], log, credentials)
  return {
    reservation: new ReservationApi(open('reservation')),
    stock: new StockApi(open('stock')),
    notifier: new NotifierApi(open('notifier')),
  }
}
