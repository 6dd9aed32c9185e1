import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { toSettings } from './settings.ts'
import { exampleFile, exampleOf, settingsFile, shapes, withTables } from './settings-doc.ts'

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

test('.env.example is what the schemas of the settings say, and all of it is commented out', async () => {
  const example = await readFile(exampleFile, 'utf8')
  expect(example === exampleOf(shapes), '.env.example is out of date: run `npm run docs`').toBe(true)
  expect(parseEnv(example)).toEqual({})
})

test('the values in .env.example are the defaults of npm start', async () => {
  const example = await readFile(exampleFile, 'utf8')
  const used = parseEnv(example.replaceAll(/^#(?=[A-Z_]+=)/gm, ''))
  expect(Object.keys(used)).toEqual(expect.arrayContaining(['STOCK_PORT', 'LOG_LEVEL', 'SMTP_URL']))
  expect(toSettings(used)).toEqual(toSettings({}))
})
