/** No text, however long and whoever chose it, makes a pattern of the product take more than its length in time. */
import { glob, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'

const root = fileURLToPath(new URL('../', import.meta.url))

/** A literal where an expression may stand. What stands in a comment and looks like one is tried too. */
const literals =
  /(?<=[=(,:[!&|?{};>\s])\/(?![/*])((?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]{0,4})(?![\w/])/g

type Found = { file: string; source: string; flags: string }

async function everyPattern(): Promise<Found[]> {
  const found: Found[] = []
  for (const folder of ['actors', 'streams', 'deploy/local']) {
    for await (const file of glob(`${folder}/**/*.ts`, { cwd: root })) {
      if (/\.test\.ts$|testing|faults|guarantees/.test(file)) continue
      const text = await readFile(root + file, 'utf8')
      for (const [, source, flags] of text.matchAll(literals))
        found.push({ file, source: source!, flags: flags! })
    }
  }
  const zods = {
    uuid: z.uuid(),
    datetime: z.iso.datetime(),
    instant: z.iso.datetime({ offset: true }),
    int: z.int(),
  }
  for (const [name, schema] of Object.entries(zods)) {
    const { pattern } = (schema as unknown as { _zod: { pattern?: RegExp } })._zod
    if (pattern) found.push({ file: `zod ${name}`, source: pattern.source, flags: pattern.flags })
  }
  return [...new Map(found.map((it) => [`/${it.source}/${it.flags}`, it])).values()]
}

/** As they are used: from anywhere in the text, and as often as they match. */
function compiled({ source, flags }: Found): RegExp | undefined {
  try {
    return new RegExp(source, `${flags.replaceAll(/[gy]/g, '')}g`)
  } catch {
    return undefined
  }
}

/** Letters that the pattern speaks of, and some that others of its kind do. */
function lettersOf({ source }: Found): string[] {
  const spoken =
    source.replaceAll(/\\[pPux](?:\{\w+\}|\w{2,4})?|\\./g, ' ').match(/[\w .@:/+\-<>[\]{}()?'"=&%#;,·]/g) ??
    []
  const escaped = [...source.matchAll(/\\([^\w\s])/g)].map(([, it]) => it!)
  const its = [...new Set([...spoken, ...escaped])].slice(0, 9)
  return [...new Set([...its, 'a', '0', ' ', '-', '.', '@', ':', '한'])]
}

/** What is repeated, and what comes before and behind so that the whole cannot match. */
function* attacksOf(found: Found): Generator<(length: number) => string> {
  const letters = lettersOf(found)
  const pumps = letters.flatMap((a) => [a, ...letters.filter((b) => b > a).map((b) => a + b)])
  for (const pump of pumps) {
    yield (length) => pump.repeat(Math.ceil(length / pump.length))
    yield (length) => `${pump.repeat(Math.ceil(length / pump.length))}\u0001`
    yield (length) => `${letters[0]}${pump.repeat(Math.ceil(length / pump.length))}\n \u0001`
  }
}

function cpuMs(pattern: RegExp, text: string): number {
  const before = process.cpuUsage()
  text.replace(pattern, '')
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

const least = (times: number, measure: () => number) => Math.min(...Array.from({ length: times }, measure))

/** A quadratic pattern takes ten times as long for a text of this length, a linear one a tenth. */
const screenedLength = 4_000
const screenedMs = 1.5
/** No pattern may take as long for a few letters: that is worse than quadratic. */
const explodedMs = 20
const fewLetters = [24, 32, 40, 64]
const measuredLength = 5_000
const triesMax = 3
/** Twice the text takes twice the time, or four times. */
const ratioMax = 3

function tookMs(pattern: RegExp, text: string): number {
  const before = performance.now()
  text.replace(pattern, '')
  return performance.now() - before
}

/** @returns how many times as long twice the text takes, where it takes long at all. */
function growth(pattern: RegExp, attack: (length: number) => string): number {
  for (const few of fewLetters) {
    const text = attack(few)
    if (tookMs(pattern, text) > explodedMs && tookMs(pattern, text) > explodedMs) return Infinity
  }
  const screened = attack(screenedLength)
  if (tookMs(pattern, screened) < screenedMs) return 1
  if (least(3, () => tookMs(pattern, screened)) < screenedMs) return 1
  let ratio = Infinity
  for (let tries = 0; tries < triesMax && ratio > ratioMax; tries++) {
    const [once, twice] = [1, 2].map((times) => {
      const text = attack(times * measuredLength)
      return least(2, () => cpuMs(pattern, text))
    })
    ratio = Math.min(ratio, twice! / once!)
  }
  return ratio
}

const patterns = await everyPattern()

test('the patterns of the product are found', () => {
  const sources = patterns.map(({ source }) => source)
  expect(sources.length).toBeGreaterThan(60)
  for (const part of ['x21-', 'application', 'whsec_', 'charset', '2028', '01[016789]', '%2e'])
    expect(
      sources.some((it) => it.includes(part)),
      part,
    ).toBe(true)
})

test.each([
  ['\\b[a-z][a-z0-9+.-]*:\\/\\/\\S+', 'gi'],
  ['\\/+$', ''],
  ['\\/{(.+?)}', 'g'],
  ['(\\d+)\\.\\d+', ''],
  ['\\S+$', ''],
  ['^(a|aa)+$', ''],
  ['^(?:\\w+\\s?)*$', ''],
])('of /%s/, which is quadratic or worse, it is noticed', { timeout: 300_000 }, (source, flags) => {
  const slow = { file: '', source, flags }
  expect([...attacksOf(slow)].some((attack) => growth(compiled(slow)!, attack) > ratioMax)).toBe(true)
})

test('every pattern takes a time that grows as its text does', { timeout: 300_000 }, () => {
  const slow = patterns.flatMap((found) => {
    const pattern = compiled(found)
    if (!pattern) return []
    for (const attack of attacksOf(found)) {
      const ratio = growth(pattern, attack)
      if (ratio > ratioMax)
        return [`${found.file}: /${found.source}/ on ${JSON.stringify(attack(12))} × ${ratio}`]
    }
    return []
  })
  expect(slow).toEqual([])
})
