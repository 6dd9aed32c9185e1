/** `npm run check`: lint, types and English. */
import { english, lint, runSteps, types } from './steps.ts'

process.exitCode = await runSteps([lint, types, english])
