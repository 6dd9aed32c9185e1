/** `wrk`, an independent client that sends the same requests as ours. */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from '../../deploy/local/processes/child.ts'
import { findProgram } from '../../deploy/local/processes/program.ts'
import type { LoadResult } from './closed-loop.ts'

export const howToInstall =
  'Cannot find wrk. npm run bench installs it if it can; manually: ' +
  'apt-get install wrk, dnf install wrk, apk add wrk or brew install wrk'

type WrkOptions = { port: number; clients: number; seconds: number; bookid: string }

/** Every 2xx counts as wanted. The audit of the books shows whether it said `Reserved`. */
type WrkResult = Omit<LoadResult, 'clientCpuMicros'>

const customers = 1_000

/** The requests are built in advance, one per customer, like those of our client. */
const script = (bookid: string) => `
local requests, sent = {}, 0
init = function()
  local headers = { ["content-type"] = "application/json", ["prefer"] = "wait=10" }
  for i = 0, ${customers - 1} do
    requests[i] = wrk.format("POST", "/reservations", headers, '{"bookid":"${bookid}","userid":"user-' .. i .. '"}')
  end
end
request = function()
  sent = sent + 1
  return requests[sent % ${customers}]
end
`

/** @throws when wrk is not installed or fails. */
export async function runWrk({ port, clients, seconds, bookid }: WrkOptions): Promise<WrkResult> {
  const command = findProgram('wrk')
  if (!command) throw new Error(howToInstall)
  const file = join(tmpdir(), `bookreservation-wrk-${process.pid}.lua`)
  await writeFile(file, script(bookid))
  const limits = ['--threads', '1', '--connections', String(clients), '--duration', `${seconds}s`]
  const args = [...limits, '--timeout', '15s', '--latency', '--script', file, `http://127.0.0.1:${port}`]
  const lines: string[] = []
  const child = await startChild({ name: 'wrk', command, args, onLine: (line) => lines.push(line) })
  const { code } = await child.exited
  if (code !== 0) throw new Error(`wrk ended with ${code}:\n${lines.join('\n')}`)
  return parseWrk(lines.join('\n'), clients)
}

/** @param clients the number of clients, each of which may lack its last answer when wrk ends. */
export function parseWrk(text: string, clients: number): WrkResult {
  const requests = Number(found(text, /(\d+) requests in /))
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0)
  const [, ...errors] = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? []
  const broken = errors.reduce((sum, times) => sum + Number(times), 0)
  return {
    sent: requests + clients + broken,
    wanted: requests - refused,
    other: {
      unanswered: clients,
      ...(refused > 0 && { 'not 2xx': refused }),
      ...(broken > 0 && { 'broken or late': broken }),
    },
    measured: requests - refused,
    perSecond: Number(found(text, /Requests\/sec: +([\d.]+)/)) * (1 - refused / Math.max(1, requests)),
    p50Ms: msOf(found(text, / 50% +(\S+)/)),
    p99Ms: msOf(found(text, / 99% +(\S+)/)),
  }
}

function found(text: string, pattern: RegExp): string {
  const match = pattern.exec(text)
  if (!match) throw new Error(`Cannot parse the output of wrk:\n${text}`)
  return match[1]!
}

const units: Record<string, number> = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

const msOf = (text: string): number =>
  Number.parseFloat(text) * (units[text.replace(/^[\d.]+/, '')] ?? Number.NaN)
