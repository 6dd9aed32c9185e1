import type { ServiceName } from '../../platform/config.ts'
import type { Log } from '../../platform/log.ts'
import { Api, type Credentials, type Operation } from './call.ts'
import { operations as notifier } from './notifier.ts'
import { operations as operators } from './operators.ts'
import { operations as reservation } from './reservation.ts'
import { operations as stock } from './stock.ts'

export type Apis = ReturnType<typeof openApis>

/** @param credentials absent while identity is off. */
export function openApis(urls: Record<ServiceName, string>, log: Log, credentials?: Credentials) {
  const open = <Operations extends Record<string, Operation>>(name: ServiceName, operations: Operations) =>
    new Api(name, urls[name], operations, log, credentials)
  return {
    reservation: open('reservation', reservation),
    stock: open('stock', stock),
    notifier: open('notifier', notifier),
    /** Of each service. */
    operators: {
      reservation: open('reservation', operators),
      stock: open('stock', operators),
      notifier: open('notifier', operators),
    },
  }
}
