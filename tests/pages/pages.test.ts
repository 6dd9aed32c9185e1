/**
 * The pages in a real browser, on a real system. One file, so that all share the system and the browser. `pages.long.test.ts` has
 * what else staff and operators do.
 */
import { sample } from './accessibility.ts'
import { customers } from './customers.ts'
import { day } from './day.ts'
import { delivery } from './delivery.ts'
import { frame } from './frame.ts'
import { redriving } from './letters.ts'
import { ownData } from './own-data.ts'
import { useStage } from './stage.ts'

const stage = useStage()

frame(stage)
customers(stage)
ownData(stage)
day(stage, true)
delivery(stage, true)
redriving(stage, true)
sample(stage)
