/** `npm run check`: lint and types. */
import { lint, runSteps, types } from './steps.ts'

process.exitCode = await runSteps([lint, types])
