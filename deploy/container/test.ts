/**
 * `npm run image:test`: builds the image for both runtimes and runs the system from it. It is not part of `npm test`, because
 * it needs podman, and root or a user with subordinate ids.
 */
import { join } from 'node:path'
import { root } from '../local/root.ts'
import { runSteps } from '../local/steps.ts'

const vitest = join(root, 'node_modules', '.bin', 'vitest')
const config = join(root, 'deploy', 'container', 'vitest.config.ts')
const command: [string, ...string[]] = [vitest, 'run', '--config', config, ...process.argv.slice(2)]
process.exitCode = await runSteps([{ name: 'the image', command }])
