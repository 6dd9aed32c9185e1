import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { settingsFile, shapes, withTables } from './settings-doc.ts'

const page = await readFile(settingsFile, 'utf8')

test('docs/settings.md is what the schemas of the settings say', () => {
  expect(withTables(page) === page, 'docs/settings.md is out of date: run `npm run docs`').toBe(true)
})

test.each(Object.values(shapes).flatMap(Object.entries))(
  '%s is described, and its description is on the page',
  (name, field) => {
    expect(field.description).toBeTruthy()
    expect(page).toMatch(new RegExp(`^\\| \`${name}\``, 'm'))
    expect(page).toContain(` | ${field.description}`)
  },
)
