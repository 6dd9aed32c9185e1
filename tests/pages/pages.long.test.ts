/** The pages of staff and operators, and the accessibility of all pages, in a real browser. `pages.test.ts` has the customers'. */
import { accessibility } from './accessibility.ts'
import { operators } from './operators.ts'
import { receiving } from './receiving.ts'
import { staffPages } from './staff.ts'
import { useStage } from './stage.ts'

const stage = useStage()

staffPages(stage)
receiving(stage)
operators(stage)
accessibility(stage)
