/** `npm run check`: what can be told without running anything. */
import { lint, runSteps, types } from './steps.ts'

process.exitCode = await runSteps([lint, types])
