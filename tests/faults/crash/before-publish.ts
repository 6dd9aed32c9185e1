/** Committed, and not yet published. */
import { EventLog } from '../../../streams/event-log.ts'
import { crashAt } from './point.ts'

crashAt('before', EventLog.prototype, 'publish', (publications) =>
  publications.some((it) => it.events.length > 0),
)
