/** The pages in a real browser, on a real system. One file, so that all share the system and the browser. */
import { accessibility } from './accessibility.ts'
import { customers } from './customers.ts'
import { frame } from './frame.ts'
import { operators } from './operators.ts'
import { receiving } from './receiving.ts'
import { staffPages } from './staff.ts'
import { useStage } from './stage.ts'

const stage = useStage()

frame(stage)
customers(stage)
staffPages(stage)
receiving(stage)
operators(stage)
accessibility(stage)
