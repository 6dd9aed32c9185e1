/** The numbered invariants at the heads of files, such as ` * L1. Each change of owner …`, and the titles that cite them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../deploy/local/root.ts'
import { sources } from '../deploy/local/sources.ts'

const invariant = /^ \* +([A-Z]{1,2})(\d+)\. /gm
const inAnotherForm = /^ \*[ -]*\**[A-Z]{1,2}\d+(?:\*\*|[:)]| {2})/m
/** The ids at the beginning of a text, which is a title: `test('L1: …')`, or one of those of `test.each`. */
const citations = /['"`]((?:[A-Z]{1,2}\d+, )*[A-Z]{1,2}\d+): /g

const files = sources('.ts', '.mjs').map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))
const isTest = ({ file }: { file: string }) => file.endsWith('.test.ts')

const product = files.filter((it) => !isTest(it))

/** The letters of each file, and their numbers. */
const lists = product.flatMap(({ file, text }) => {
  const byLetter = Map.groupBy(text.matchAll(invariant), ([, letter]) => letter!)
  return [...byLetter].map(([letter, those]) => ({
    file,
    letter,
    numbers: those.map(([, , n]) => Number(n)),
  }))
})
const ids = lists.flatMap(({ letter, numbers }) => numbers.map((n) => letter + n))

test('all invariants are found: they have one form, and are numbered from 1', () => {
  console.log(`${ids.length} invariants in ${lists.length} files`)
  expect(ids.length).toBeGreaterThan(90)
  expect(product.filter(({ text }) => inAnotherForm.test(text)).map(({ file }) => file)).toEqual([])
  for (const { file, numbers } of lists) expect(numbers, file).toEqual(numbers.map((_, i) => i + 1))
})

test('no letter belongs to two files', () => {
  const owners = Map.groupBy(lists, ({ letter }) => letter)
  const shared = [...owners.values()].filter((those) => those.length > 1)
  expect(shared.map((those) => those.map(({ letter, file }) => `${letter} ${file}`))).toEqual([])
})

test('each invariant is cited by the title of a test, and no title cites anything else', () => {
  const cited = files
    .filter(isTest)
    .flatMap(({ text }) => [...text.matchAll(citations)].flatMap(([, it]) => it!.split(', ')))
  expect([...new Set(cited)].sort()).toEqual(ids.toSorted())
})
