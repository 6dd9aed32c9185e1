import { linesOf } from '../../platform/error-facts.ts'

/** Runs an operator's command. An error is printed without a stack, and sets the exit code. */
export async function runCommand(command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    console.error(linesOf(error))
    process.exitCode = 1
  }
}
