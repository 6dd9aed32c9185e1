/** The tables of docs/settings.md and `.env.example`, generated from the schemas that read the settings. */
import { join } from 'node:path'
import type { ZodType } from 'zod'
import { notifierSettings } from '../../actors/notifier/config.ts'
import { schema } from '../../platform/config.ts'
import { pagesSettings } from '../../web/config.ts'
import { root } from './root.ts'
import { defaultOf, schema as startSettings } from './settings.ts'

export const settingsFile = join(root, 'docs', 'settings.md')
export const exampleFile = join(root, '.env.example')

/** By the name that marks the place of the table in the page. */
export const shapes: Record<string, Record<string, ZodType>> = {
  services: { ...schema.shape, ...notifierSettings.shape },
  pages: pagesSettings.shape,
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

/** `npm start` sets these for each service. */
const ofOneService = ['PORT', 'OPS_PORT']

/** @returns a file of settings for `npm start`, all commented out: without `#` they are the defaults. */
export function exampleOf(shapes: Record<string, Record<string, ZodType>>): string {
  const entries = Object.values(shapes).reverse().flatMap(Object.entries)
  const lines = entries.filter(([name]) => !ofOneService.includes(name)).map(exampleLines)
  return `# Settings of npm start. Copy this file to .env and remove the # of the lines that you change.
# A variable of the environment wins over this file. Written by npm run docs; more about each is in docs/settings.md.
${lines.join('')}`
}

function exampleLines([name, field]: [string, ZodType]): string {
  // The address at which `npm start` differs from a service, and the stores that it starts.
  const value = { HOST: '127.0.0.1', DATABASE_URL: '', REDIS_URL: '' }[name] ?? defaultOf(field)
  return `\n${comment(plain(field.description ?? ''))}#${name}=${value}\n`
}

/** Without the links and marks of Markdown. */
const plain = (text: string) =>
  text.replaceAll(/ \(\[.*?\]\(.*?\)\)|`/g, '').replaceAll(/\[([^[\]]*)\]\([^()]*\)/g, '$1')

const comment = (text: string) => text.replaceAll(/(.{1,100})(?: |$)/g, '# $1\n')

const code = (text: string) => (text === '' || text === 'required' ? text : `\`${text}\``)

/** Padded as the formatter pads it, so that it finds nothing to change. */
function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  const line = (cells: string[]) => `| ${cells.map((it, i) => it.padEnd(widths[i]!)).join(' | ')} |\n`
  const [head, ...body] = rows
  return [head!, widths.map((width) => '-'.repeat(width)), ...body].map(line).join('')
}
