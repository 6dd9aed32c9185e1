/** The pages in a real browser, on a real system. One file, so that all share the system and the browser. */
import { customers } from './customers.ts'
import { frame } from './frame.ts'
import { useStage } from './stage.ts'

const stage = useStage()

frame(stage)
customers(stage)
