/**
 * The order of the folders: each imports from those below it alone.
 *
 *     deploy, load, tests  →  actors, web  →  platform  →  streams
 *
 * No service imports from another one, and no files import each other in a circle. The pages (`web/`) store only ended sessions, and
 * import from `platform/` alone. Tests beside the code may use `tests/`.
 */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../deploy/local/root.ts'
import { sources } from '../deploy/local/sources.ts'

const level: Record<string, number> = {
  streams: 0,
  platform: 1,
  actors: 2,
  web: 2,
  deploy: 3,
  load: 3,
  tests: 3,
}

const files = sources('.ts', '.mts', '.mjs').filter(
  (file) => posix.dirname(file) !== '.' && !file.endsWith('.d.mts'),
)
const known = new Set(files)
const imports = new Map(files.map((file) => [file, importsOf(file)]))

function importsOf(file: string): string[] {
  const text = readFileSync(posix.join(root, file), 'utf8')
  const relative = text.matchAll(/\b(?:from|import)\s*\(?\s*'(\.[^']+)'/g)
  return Array.from(relative, ([, path]) => posix.join(posix.dirname(file), path!)).filter((it) =>
    known.has(it),
  )
}

const isProduct = (file: string) => !/\.test\.ts$|\/testing\.ts$|\/testing\//.test(file)
const levelOf = (file: string) => level[file.split('/')[0]!]!
const serviceOf = (file: string) => /^actors\/(\w+)\//.exec(file)?.[1]

const product = files.filter(isProduct).flatMap((from) => imports.get(from)!.map((to) => ({ from, to })))

/** Groups of files that import each other, by Tarjan's algorithm. */
function cycles(): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (file: string) => {
    index.set(file, index.size)
    low.set(file, index.get(file)!)
    stack.push(file)
    for (const next of imports.get(file)!) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!))
    }
    if (low.get(file) !== index.get(file)) return
    const group = stack.splice(stack.indexOf(file))
    if (group.length > 1) found.push(group)
  }
  for (const file of files) if (!index.has(file)) visit(file)
  return found
}

test('imports run downwards: deploy, load and tests, then actors and web, platform, streams', () => {
  expect(product.length).toBeGreaterThan(1_000)
  expect(product.filter(({ from, to }) => levelOf(to) > levelOf(from))).toEqual([])
})

test('no service imports from another', () => {
  const across = product.filter(({ from, to }) => {
    const [a, b] = [serviceOf(from), serviceOf(to)]
    return a && b && a !== b
  })
  expect(across).toEqual([])
})

test('the pages import from the platform alone', () => {
  const ofPages = product.filter(({ from }) => from.startsWith('web/'))
  expect(ofPages.length).toBeGreaterThan(20)
  expect(ofPages.filter(({ to }) => !/^(web|platform)\//.test(to))).toEqual([])
})

test('no files import each other in a circle', () => {
  expect(cycles()).toEqual([])
})
