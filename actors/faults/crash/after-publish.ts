/** Published, and the group does not show yet that the messages are done with. */
import { EventLog } from '../../../streams/event-log.ts'
import { crashAt } from './point.ts'

crashAt('after', EventLog.prototype, 'publish', (publications) =>
  publications.some((it) => it.events.length > 0),
)
