import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { samples } from './samples.ts'
import { writePreviews } from './write-previews.ts'

test("every notice in every language is written as a page, with users' text escaped", async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bookreservation-previews-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const index = await readFile(await writePreviews(join(dir, 'notices')), 'utf8')
  const names = samples.flatMap(({ name }) => [`${name}.ko.html`, `${name}.en.html`])
  expect((await readdir(join(dir, 'notices'))).sort()).toEqual([...names, 'index.html'].sort())
  for (const name of names) expect(index).toContain(`href="${name}"`)
  const alert = await readFile(join(dir, 'notices', 'alert.en.html'), 'utf8')
  expect(alert).not.toContain('<in partition')
  // Escaped once for the page, and again for the page in its frame.
  expect(alert).toContain('&lt;in partition 3&gt;')
  expect(alert).toContain('&amp;lt;in partition 3&amp;gt;')
})
