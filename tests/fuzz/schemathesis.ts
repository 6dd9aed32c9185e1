/** A run of Schemathesis over the document of one service. Source: https://schemathesis.readthedocs.io */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startChild } from '../../deploy/local/processes/child.ts'
import { findProgram } from '../../deploy/local/processes/program.ts'
import type { Address } from './system.ts'

/** Installed by `install.mjs` from the requirements beside this file. */
export const command = 'schemathesis-4.32.5'

export type Run = {
  address: Address
  /** A folder for its reports. */
  dir: string
  /** Name of the reports in it. */
  name: string
  seed: number
  /** Requests for each operation. */
  examples: number
  /** Includes cases that the document itself implies: its examples, and the limits of its schemas. */
  coverage: boolean
  token: string
  /** Target of the random webhooks. */
  receiver: string
  signal: AbortSignal
}

export type Outcome = {
  cases: number
  /** One line per failure. */
  failures: string[]
}

/** @throws the signal's reason when it was aborted before. */
export async function run({ dir, name, signal, ...rest }: Run): Promise<Outcome> {
  signal.throwIfAborted()
  const report = join(dir, `${name}.json`)
  const child = await startChild({
    name: 'Schemathesis',
    command: findProgram(command)!,
    args: [
      `--config-file=${join(import.meta.dirname, 'schemathesis.toml')}`,
      ...argumentsOf(rest),
      '--report=json,vcr',
      `--report-json-path=${report}`,
      `--report-vcr-path=${join(dir, `${name}.yaml`)}`,
    ],
    cwd: dir,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'hooks.py'),
      FUZZ_RECEIVER: rest.receiver,
      NO_PROXY: '*',
      // No bytecode is written beside the hooks.
      PYTHONDONTWRITEBYTECODE: '1',
    },
  })
  const stop = () => child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  const { code } = await child.exited
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  const text = await readFile(report, 'utf8').catch(() => undefined)
  return text
    ? outcomeOf(JSON.parse(text))
    : { cases: 0, failures: [`Schemathesis ended with ${code}: ${child.tail().slice(-5).join(' ')}`] }
}

function argumentsOf({
  address,
  seed,
  examples,
  coverage,
  token,
}: Pick<Run, 'address' | 'seed' | 'examples' | 'coverage' | 'token'>): string[] {
  return [
    'run',
    `${address.opsUrl}/openapi.json`,
    `--url=${address.url}`,
    `--seed=${seed}`,
    `--max-examples=${examples}`,
    `--phases=${coverage ? 'examples,coverage,fuzzing' : 'fuzzing'}`,
    `--header=Authorization: Bearer ${token}`,
  ]
}

/** The members of its JSON report that are used here. */
export type Report = {
  complete: boolean
  stop_reason: string
  exit_code: number
  test_cases: { generated: number }
  failures: { code: string; title: string; count: number; operations: string[] }[]
  errors: unknown[]
}

export function outcomeOf(report: Report): Outcome {
  const failures = report.failures.map(
    ({ code, title, count, operations }) => `${code} ${title}, ${count} times: ${operations.join(', ')}`,
  )
  failures.push(...report.errors.map((it) => `Schemathesis failed: ${JSON.stringify(it)}`))
  if (!report.complete) failures.push(`Schemathesis stopped early: ${report.stop_reason}`)
  if (failures.length === 0 && report.exit_code !== 0)
    failures.push(`Schemathesis exited with ${report.exit_code}`)
  return { cases: report.test_cases.generated, failures }
}
