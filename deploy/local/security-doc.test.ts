import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { securityFile, withCalls } from './security-doc.ts'

test('docs/security.md says who may do what, as the routes do', async () => {
  const page = await readFile(securityFile, 'utf8')
  expect(withCalls(page) === page, 'docs/security.md is out of date: npm run docs').toBe(true)
})
