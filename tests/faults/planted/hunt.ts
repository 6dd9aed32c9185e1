/** Plants each bug in turn, runs its scenario, and shows which check has caught it. */
import type { Progress } from '../progress.ts'
import { type Result, run } from '../run.ts'
import { chosen } from '../scenarios/all.ts'
import type { Bug } from './bug.ts'
import { bugs } from './bugs.ts'
import { plant } from './tree.ts'

/** A system with a bug may never come to rest. */
const quietMaxMs = 15_000

type Hunt = { seed: number; secondsMax: number; progress: Progress }

/** @param names names or prefixes of bugs; none: all. @returns whether each was caught. */
export async function hunt(names: string[], options: Hunt): Promise<boolean> {
  const { seed, progress } = options
  const wanted = bugs.filter(({ name }) => names.length === 0 || names.some((it) => name.startsWith(it)))
  const width = Math.max(...wanted.map(({ name }) => name.length))
  let caught = 0
  console.log(`Seed ${seed}`)
  for (const [at, bug] of wanted.entries()) {
    progress.begin(`${at + 1}/${wanted.length} ${bug.name}`)
    const failed = await expose(bug, options)
    progress.end()
    const by = bug.caughtBy.filter((check) => failed.includes(check))
    if (by.length > 0) caught++
    const verdict = by.length > 0 ? `caught by "${by.join('", "')}"` : 'NOT CAUGHT'
    const also = failed.filter((check) => !by.includes(check))
    console.log(`${bug.name.padEnd(width)}  ${verdict}${also.length > 0 ? `; also ${also.join('; ')}` : ''}`)
  }
  console.log(`${caught} of ${wanted.length} planted bugs were caught`)
  return caught === wanted.length
}

/** @returns the checks that failed. */
async function expose(bug: Bug, { seed, secondsMax, progress }: Hunt): Promise<string[]> {
  await using tree = await plant(bug.edits)
  const [scenario] = chosen([bug.scenario])
  const options = { seed, secondsMax, quietMaxMs, world: { tree: tree.path }, discard: true }
  const result: Result = await run({ scenario: scenario!, ...options, say: progress.say })
  return result.violations.map(({ check }) => check)
}
