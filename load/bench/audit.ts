/** A fast wrong answer is worth nothing: what was answered is held against the books. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadResult } from './closed-loop.ts'
import { notAsWanted } from './closed-loop.ts'
import { count } from './report.ts'
import type { Account, Target } from './target.ts'

/** How long a reservation may still be without an outcome when the load is over: a sweep sends it again. */
const decidedMaxMs = 30_000
const stepMs = 250

export type Audit = { right: boolean; line: string }

/** @param loads every run against the target since it was stocked with `books`. */
export async function audit(target: Target, books: string[], loads: LoadResult[]): Promise<Audit> {
  let account = await target.account(books)
  for (const until = performance.now() + decidedMaxMs; account.undecided && performance.now() < until; ) {
    await sleep(stepMs)
    account = await target.account(books)
  }
  return { ...compare(loads, account), line: `${target.name}: ${describe(loads, account)}` }
}

/**
 * Every reservation was in stock. So each that was accepted must hold a copy; one whose request found no answer
 * may; and nothing else does.
 */
export function compare(loads: LoadResult[], { held, undecided }: Account): { right: boolean } {
  const asked = sum(loads, (load) => load.asked)
  const accepted = sum(loads, (load) => load.wanted + (load.other[notAsWanted] ?? 0))
  const ended = sum(loads, (load) => load.wanted + Object.values(load.other).reduce((a, b) => a + b, 0))
  return { right: ended === asked && accepted <= held && held <= asked && !undecided }
}

function describe(loads: LoadResult[], { held, undecided }: Account): string {
  const asked = count(sum(loads, (load) => load.asked))
  const reserved = count(sum(loads, (load) => load.wanted))
  const rest = undecided ? ', some undecided' : ''
  return `${asked} asked, ${reserved} answered Reserved, ${count(held)} copies held${rest}`
}

const sum = (loads: LoadResult[], figure: (load: LoadResult) => number) =>
  loads.reduce((total, load) => total + figure(load), 0)
