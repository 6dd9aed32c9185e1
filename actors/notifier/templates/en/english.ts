import type { Language } from '../wording.ts'
import { alert } from './alert.ts'
import { cancelled } from './cancelled.ts'
import { deliveryFailed } from './delivery-failed.ts'
import { failed } from './failed.ts'
import { purchaseRequested } from './purchase-requested.ts'
import { reserved } from './reserved.ts'

export const english: Language = {
  code: 'en',
  templates: {
    reserved,
    failed,
    cancelled,
    'purchase-requested': purchaseRequested,
    'delivery-failed': deliveryFailed,
    alert,
  },
}
