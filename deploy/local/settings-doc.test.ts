import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { schema as serviceSettings } from '../../actors/config.ts'
import { schema as startSettings } from './settings.ts'
import { settingsFile, withTables } from './settings-doc.ts'

const page = await readFile(settingsFile, 'utf8')

test('docs/settings.md is what the schemas of the settings say', () => {
  expect(withTables(page) === page, 'docs/settings.md is out of date: run `npm run docs`').toBe(true)
})

test.each(Object.entries({ ...serviceSettings.shape, ...startSettings.shape }))(
  '%s is described, and its description is on the page',
  (name, field) => {
    expect(field.description).toBeTruthy()
    expect(page).toMatch(new RegExp(`^\\| \`${name}\``, 'm'))
    expect(page).toContain(` | ${field.description}`)
  },
)
