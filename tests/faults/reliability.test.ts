/** `docs/reliability.md` names tests, checks and planted bugs that exist, and all planted bugs. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../harness/service-process.ts'
import { checks } from './checks/all.ts'
import { bugs } from './planted/bugs.ts'
import { scenarios } from './scenarios/all.ts'

const read = (file: string) => readFileSync(join(root, file), 'utf8')
const page = read('docs/reliability.md')
const known = new Set(checks.map(({ name }) => name))
const bugOf = new Map(bugs.map((bug) => [bug.name, bug]))

/** @returns the rows of the table with this head, by cells. */
function rowsUnder(head: RegExp): string[][] {
  const lines = page.split('\n')
  const first = lines.findIndex((line) => head.test(line)) + 2
  const rows = lines.slice(first, lines.indexOf('', first))
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}
const names = (cell: string | undefined) => cell!.split('; ')

const invariants = rowsUnder(/^\| what must hold /)

test('fourteen invariants of the life of a reservation are listed', () => {
  expect(invariants).toHaveLength(14)
})

test.each(invariants)('%s', (_, tests, itsChecks, itsBugs) => {
  const links = [...tests!.matchAll(/\[(.+?)\]\(\.\.\/(.+?)\)/g)]
  expect(links.length).toBeGreaterThan(0)
  for (const [, title, file] of links) expect(read(file!)).toContain(`'${title}'`)
  expect(names(itsChecks).filter((it) => !known.has(it))).toEqual([])
  for (const name of names(itsBugs)) {
    const { caughtBy = [] } = bugOf.get(name) ?? {}
    expect(
      caughtBy.some((it) => names(itsChecks).includes(it)),
      name,
    ).toBe(true)
  }
})

test('the page says of each planted bug which check catches it', () => {
  const rows = rowsUnder(/^\| bug /)
  expect(rows.map(([name]) => name!.replaceAll('`', '')).sort()).toEqual(bugs.map(({ name }) => name).sort())
  for (const [name, by] of rows)
    expect(bugOf.get(name!.replaceAll('`', ''))!.caughtBy, name).toEqual(expect.arrayContaining(names(by)))
})

test('the README counts the scenarios', () => {
  expect(read('README.md')).toContain(`campaign of ${scenarios.length} faults`)
})
