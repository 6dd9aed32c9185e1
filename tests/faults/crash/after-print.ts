/** Notices were printed, and that is recorded. */
import { PrintOnce } from '../../../actors/notifier/console.ts'
import { crashAt } from './point.ts'

crashAt('after', PrintOnce.prototype, 'forget', (notices) => notices.some((it) => it.printed))
