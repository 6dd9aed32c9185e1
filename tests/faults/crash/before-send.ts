/** Accepted, and not yet sent to stock. */
import { Sender } from '../../../streams/sender.ts'
import { crashAt } from './point.ts'

crashAt('before', Sender.prototype, 'send')
