/** States of the pages while a service is down. */
import type { ServiceName } from '../../../platform/config.ts'
import { sending } from './acts.ts'
import { nobody, operator, purchaser, reader, type State, staff } from './state.ts'

export const down: Record<ServiceName, State[]> = {
  reservation: [
    { name: 'the books', path: '/' },
    { name: 'a book', path: '/book/other', as: nobody },
    { name: 'my reservations', path: '/me', as: reader },
    { name: 'a reservation', path: '/me/{ready}', as: reader, allowed: /503/ },
    { name: 'the desk with a customer', path: '/desk?scan=visitor', as: staff },
    { name: 'copies that a customer has', path: '/return?userid=visitor', as: staff },
  ],
  stock: [
    { name: 'a book', path: '/book/other', as: nobody },
    { name: 'the copies to fetch', path: '/shelf/pull', as: staff },
    { name: 'all stock', path: '/stock', as: staff },
    { name: 'the stock of a book', path: '/stock/other', as: staff, allowed: /503/ },
    {
      name: 'a receipt',
      path: '/receive',
      as: staff,
      allowed: /503/,
      act: sending('#scan', 'other', '#notices p'),
    },
    { name: 'what is wanted', path: '/wanted', as: purchaser },
    { name: 'operations', path: '/ops', as: operator },
    { name: 'a reservation that is being decided', path: '/me/{requested}', as: nobody },
  ],
  notifier: [
    { name: 'a reservation', path: '/me/{ready}', as: reader },
    { name: 'my settings', path: '/me/settings', as: reader },
    { name: 'notices', path: '/ops/notices', as: operator },
    { name: 'alerts', path: '/ops/alerts', as: operator },
  ],
}
