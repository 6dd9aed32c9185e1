/** Checks the answers against the books: a fast wrong answer is worth nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadResult } from './closed-loop.ts'
import { otherStatus } from './closed-loop.ts'
import { count } from './report.ts'
import type { Account, Target } from './target.ts'

/** How long after the load a reservation may be undecided: a sweep sends it again. */
const decidedMaxMs = 30_000
const stepMs = 250

export type Audit = { right: boolean; line: string }

/** @param loads all runs against the target since it was stocked with `books`. */
export async function audit(target: Target, books: string[], loads: LoadResult[]): Promise<Audit> {
  let account = await target.account(books)
  for (const until = performance.now() + decidedMaxMs; account.undecided && performance.now() < until; ) {
    await sleep(stepMs)
    account = await target.account(books)
  }
  return { ...compare(loads, account), line: `${target.name}: ${describe(loads, account)}` }
}

/**
 * There is a copy for every reservation. So each accepted one must hold a copy, one whose request got no answer may, and no
 * others do.
 */
export function compare(loads: LoadResult[], { held, undecided }: Account): { right: boolean } {
  const sent = sum(loads, (load) => load.sent)
  const accepted = sum(loads, (load) => load.wanted + (load.other[otherStatus] ?? 0))
  const ended = sum(loads, (load) => load.wanted + Object.values(load.other).reduce((a, b) => a + b, 0))
  return { right: ended === sent && accepted <= held && held <= sent && !undecided }
}

function describe(loads: LoadResult[], { held, undecided }: Account): string {
  const sent = count(sum(loads, (load) => load.sent))
  const reserved = count(sum(loads, (load) => load.wanted))
  const rest = undecided ? ', some undecided' : ''
  return `${sent} sent, ${reserved} answered Reserved, ${count(held)} copies held${rest}`
}

const sum = (loads: LoadResult[], figure: (load: LoadResult) => number) =>
  loads.reduce((total, load) => total + figure(load), 0)
