/** The tables of docs/settings.md, generated from the schemas that read the settings. */
import { join } from 'node:path'
import type { ZodType } from 'zod'
import { notifierSettings } from '../../actors/notifier/config.ts'
import { schema } from '../../platform/config.ts'
import { root } from './root.ts'
import { defaultOf, schema as startSettings } from './settings.ts'

export const settingsFile = join(root, 'docs', 'settings.md')

/** By the name that marks the place of the table in the page. */
export const shapes: Record<string, Record<string, ZodType>> = {
  services: { ...schema.shape, ...notifierSettings.shape },
  'npm start': startSettings.shape,
}

/** @returns the page with its tables generated again. The text around them is kept. */
export function withTables(page: string): string {
  return page.replaceAll(
    /(<!-- table: (.+?) -->\n).*?(<!-- end -->)/gs,
    (_, begin: string, name: string, end: string) => `${begin}\n${tableOf(shapes[name]!)}\n${end}`,
  )
}

function tableOf(shape: Record<string, ZodType>): string {
  const rows = Object.entries(shape).map(([name, field]) => [
    code(name),
    code(defaultOf(field)),
    field.description ?? '',
  ])
  return table([['setting', 'default', 'meaning'], ...rows])
}

const code = (text: string) => (text === '' || text === 'required' ? text : `\`${text}\``)

/** Padded as the formatter pads it, so that it finds nothing to change. */
function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (cells: string[]) => `| ${cells.map((it, i) => it.padEnd(widths[i]!)).join(' | ')} |\n`
  const [head, ...body] = rows
  return [head!, widths.map((width) => '-'.repeat(width)), ...body].map(line).join('')
}
