/** docs/reservations.md has every rule with its presets, every status, and every reason. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { refusalReasons } from '../../actors/messages.ts'
import { statuses } from '../../actors/reservation/reservation.ts'
import { presets } from '../../actors/stock/rules.ts'
import { librarySettings } from '../../platform/library.ts'
import { root } from './root.ts'

const page = readFileSync(join(root, 'docs/reservations.md'), 'utf8')

/** The rows of the table whose first column has this head, without code marks. */
function rowsOf(head: string): string[][] {
  const lines = page.slice(page.search(new RegExp(`^\\| ${head} `, 'm'))).split('\n')
  const end = lines.findIndex((it) => !it.startsWith('|'))
  const cells = (line: string) => line.split('|').map((it) => it.trim().replaceAll('`', ''))
  return lines.slice(2, end).map((line) => cells(line).slice(1, -1))
}

test('its rules are those of the presets, each with its setting', () => {
  const documented = rowsOf('rule').map(([rule, setting, ...values]) => [
    rule,
    setting,
    ...values.slice(0, 3),
  ])
  const rules = Object.keys(presets.original) as (keyof typeof presets.original)[]
  const settingOf = (rule: string) => rule.replaceAll(/[A-Z]/g, '_$&').toUpperCase()
  const given = rules.map((rule) => [
    rule,
    settingOf(rule),
    ...Object.values(presets).map((it) => String(it[rule] ?? 'none')),
  ])
  expect(documented.toSorted()).toEqual(given.toSorted())
  for (const [, setting] of given) expect(librarySettings).toHaveProperty(setting!)
})

test('its statuses are those of a reservation, and its reasons those of a refusal', () => {
  const first = (head: string) => rowsOf(head).map(([it]) => it!)
  expect(first('status').toSorted()).toEqual(statuses.toSorted())
  expect(first('reason').toSorted()).toEqual([...refusalReasons].toSorted())
})
