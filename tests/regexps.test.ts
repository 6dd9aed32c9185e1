/** Every regular expression of the product runs in linear time, for any text. */
import { glob, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { z } from 'zod'

const root = fileURLToPath(new URL('../', import.meta.url))

/** A literal where an expression is allowed. Text in comments that looks like one is tested too. */
const literals =
  /(?<=[=(,:[!&|?{};>\s])\/(?![/*])((?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]{0,4})(?![\w/])/g

type Found = { file: string; source: string; flags: string }

async function everyPattern(): Promise<Found[]> {
  const found: Found[] = []
  for (const folder of ['actors', 'platform', 'streams', 'web', 'deploy/ops', 'deploy/local']) {
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
    date: z.iso.date(),
    instant: z.iso.datetime({ offset: true }),
    int: z.int(),
  }
  for (const [name, schema] of Object.entries(zods)) {
    const { pattern } = (schema as unknown as { _zod: { pattern?: RegExp } })._zod
    if (pattern) found.push({ file: `zod ${name}`, source: pattern.source, flags: pattern.flags })
  }
  return [...new Map(found.map((it) => [`/${it.source}/${it.flags}`, it])).values()]
}

/** As the product uses them: from anywhere in the text, and repeatedly. */
function compiled({ source, flags }: Found): RegExp | undefined {
  try {
    return new RegExp(source, `${flags.replaceAll(/[gy]/g, '')}g`)
  } catch {
    return undefined
  }
}

/** Characters of the pattern, and some typical ones. */
function lettersOf({ source }: Found): string[] {
  const spoken =
    source.replaceAll(/\\[pPux](?:\{\w+\}|\w{2,4})?|\\./g, ' ').match(/[\w .@:/+\-<>[\]{}()?'"=&%#;,·]/g) ??
    []
  const escaped = [...source.matchAll(/\\([^\w\s])/g)].map(([, it]) => it!)
  const its = [...new Set([...spoken, ...escaped])].slice(0, 9)
  return [...new Set([...its, 'a', '0', ' ', '-', '.', '@', ':', '한'])]
}

/** The repeated part, and a prefix and suffix that prevent a match. */
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

/** For a text of this length a quadratic pattern takes ten times the limit, a linear one a tenth. */
const screenedLength = 4_000
const screenedMs = 1.5
/** A pattern that takes this long for a few characters is worse than quadratic. */
const explodedMs = 20
const fewLetters = [24, 32, 40, 64]
const measuredLength = 5_000
const triesMax = 3
/** Between linear (2) and quadratic (4). */
const ratioMax = 3

function tookMs(pattern: RegExp, text: string): number {
  const before = performance.now()
  text.replace(pattern, '')
  return performance.now() - before
}

/** @returns by which factor the time grows for twice the text, if it takes long at all. */
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

// Up to three times: a busy machine can hide it.
test.each([
  ['\\b[a-z][a-z0-9+.-]*:\\/\\/\\S+', 'gi'],
  ['\\/+$', ''],
  ['\\/{(.+?)}', 'g'],
  ['(\\d+)\\.\\d+', ''],
  ['\\S+$', ''],
  ['^(a|aa)+$', ''],
  ['^(?:\\w+\\s?)*$', ''],
])('the test detects that /%s/ is quadratic or worse', { timeout: 300_000, retry: 2 }, (source, flags) => {
  const slow = { file: '', source, flags }
  expect([...attacksOf(slow)].some((attack) => growth(compiled(slow)!, attack) > ratioMax)).toBe(true)
})

test('the time of every pattern grows linearly with its text', { timeout: 300_000 }, () => {
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
