/** The table of docs/security.md: who may do what, from the routes. */
import { join } from 'node:path'
import { serviceNames } from '../../platform/config.ts'
import { roles } from '../../platform/identity/caller.ts'
import { documentOf } from './openapi/documents.ts'
import { root } from './root.ts'

export const securityFile = join(root, 'docs', 'security.md')

/** A program reads the reservations that it made (`ownProgramOf`). */
const ownOfPrograms = new Set([
  'listReservations',
  'getReservation',
  'followReservation',
  'followReservations',
])

type Operation = { operationId: string; security?: Record<string, string[]>[]; tags: string[] }
type Document = { paths: Record<string, Record<string, Operation>> }

/** @returns the page with its table generated again. */
export const withCalls = (page: string): string =>
  page.replace(
    /(<!-- table: calls -->\n).*?(<!-- end -->)/s,
    (_, begin: string, end: string) => `${begin}\n${tableOfCalls()}\n${end}`,
  )

function tableOfCalls(): string {
  const rows = serviceNames.flatMap((service) =>
    Object.entries((documentOf(service) as Document).paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, operation]) => !operation.tags.includes('health'))
        .map(([method, operation]) => rowOf(`\`${method.toUpperCase()} ${path}\``, operation)),
    ),
  )
  const all = [['call', 'no token', ...roles], ...rows]
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)))
  const line = (cells: string[]) => `| ${cells.map((it, i) => it.padEnd(widths[i]!)).join(' | ')} |\n`
  return [all[0]!, widths.map((width) => '-'.repeat(width)), ...rows].map(line).join('')
}

function rowOf(call: string, { security, operationId }: Operation): string[] {
  if (security?.some((it) => 'alertToken' in it)) return [call, '`ALERT_TOKEN`', ...roles.map(() => '')]
  const allowed = new Set(security?.flatMap((it) => it.token ?? []))
  const may = roles.map((role) => {
    if (security && !allowed.has(role)) return ''
    const isOwn = role === 'customer' || (role === 'service' && ownOfPrograms.has(operationId))
    return security && isOwn ? 'own' : 'yes'
  })
  return [call, security ? '' : 'yes', ...may]
}
