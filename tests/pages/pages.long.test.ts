/** All pages of staff and operators in a real browser. `pages.test.ts` has the rest. */
import { addresses } from './addresses.ts'
import { day } from './day.ts'
import { delivery, unusualDeliveries } from './delivery.ts'
import { desk } from './desk.ts'
import { entered } from './entered.ts'
import { keeping } from './keeping.ts'
import { letters, redriving } from './letters.ts'
import { manyReservations } from './many.ts'
import { operators } from './operators.ts'
import { receiving } from './receiving.ts'
import { shelves } from './shelves.ts'
import { useStage } from './stage.ts'
import { tabs } from './tabs.ts'
import { unanswered } from './unanswered.ts'

const stage = useStage()

day(stage, false)
desk(stage)
shelves(stage)
receiving(stage)
delivery(stage, false)
unusualDeliveries(stage)
keeping(stage)
tabs(stage)
entered(stage)
addresses(stage)
redriving(stage, false)
letters(stage)
operators(stage)
unanswered(stage)
manyReservations(stage)
