/** Published, and the consumer group does not show the new offset yet. */
import { EventLog } from '../../../streams/event-log.ts'
import { crashAt } from './point.ts'

crashAt('after', EventLog.prototype, 'publish', (publications) =>
  publications.some((it) => it.events.length > 0),
)
