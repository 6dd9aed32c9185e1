/** The rules, and the tools that check them. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { findProgram } from '../../local/processes/program.ts'
import { root } from '../../local/root.ts'

export const monitoring = join(root, 'deploy/monitoring')

type Tool = 'promtool' | 'amtool'

/** Runs promtool or amtool. @returns its output. @throws with its output when it fails. */
export const run = (tool: Tool, ...args: string[]): string => runWith('', tool, ...args)

/** @param input its standard input. */
export function runWith(input: string, tool: Tool, ...args: string[]): string {
  const command = findProgram(tool)
  if (!command) throw new Error(`Cannot find ${tool}: npm test installs it`)
  try {
    return execFileSync(command, args, { input, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${tool} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  }
}

export type Alert = {
  alert: string
  expr: string
  labels: Record<string, string>
  annotations: Record<string, string>
}
export type Rule = Alert | { record: string; expr: string }

const yamlIn = (dir: string) =>
  readdirSync(dir)
    .filter((it) => it.endsWith('.yaml'))
    .map((it) => join(dir, it))

export const ruleFiles = (): string[] => yamlIn(join(monitoring, 'rules'))
export const ruleTests = (): string[] => yamlIn(join(monitoring, 'rules/tests'))

export const rulesIn = (file: string): Rule[] =>
  (parse(readFileSync(file, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap((it) => it.rules)

export const alertsIn = (file: string): Alert[] => rulesIn(file).filter((it) => 'alert' in it)
