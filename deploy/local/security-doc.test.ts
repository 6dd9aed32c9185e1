import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from './root.ts'
import { securityFile, withCalls } from './security-doc.ts'

test('docs/security.md says who may do what, as the routes do', async () => {
  const page = await readFile(securityFile, 'utf8')
  expect(withCalls(page) === page, 'docs/security.md is out of date: npm run docs').toBe(true)
})

test('docs/security.md names tests that exist', async () => {
  const page = await readFile(securityFile, 'utf8')
  const cited = [...page.matchAll(/`([\w/.-]+\.test\.ts)`(?:: "([^"]+)")?/g)]
  expect(cited.length).toBeGreaterThan(30)
  for (const [, file, title] of cited) {
    const text = await readFile(join(root, file!), 'utf8')
    if (title !== undefined) expect(text.includes(`'${title}'`), `${file} has no test "${title}"`).toBe(true)
  }
  const risks = page.match(/^\| (?:\[API|API)\d+/gm)
  expect(risks).toHaveLength(10)
  for (const [row] of page.matchAll(/^\| (?:\[API|API)\d+.*$/gm)) expect(row).toContain('.test.ts`')
})
