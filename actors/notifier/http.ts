/** The HTTP API of the notifier: for customers, and for operators. */
import type { About } from '../../platform/http/app.ts'
import { mountCustomers } from './customers/customers-http.ts'
import { mountPrivacy } from './customers/privacy-http.ts'
import type { NotifierHttpOptions } from './http-options.ts'
import { mountAlerts } from './operators/alerts-http.ts'
import { mountNotices } from './operators/notices-http.ts'
import { mountPreviews } from './operators/previews-http.ts'

export const about: Omit<About, 'service'> = {
  title: 'Notifier',
  description: 'Notifies customers, the purchaser and operators over their channels.',
  tags: {
    customer: 'How customers are notified',
    operator: 'Notices, alerts, partitions, dead letters and the backlog',
  },
}

export function mountNotifier(options: NotifierHttpOptions): void {
  mountCustomers(options)
  mountPrivacy(options)
  mountNotices(options)
  mountAlerts(options)
  mountPreviews(options.app)
}
