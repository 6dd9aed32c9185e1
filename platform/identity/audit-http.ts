/** Operators export the audit of a service as CSV. The export is in it too, with its reason. */
import { ReadableStream } from 'node:stream/web'
import { z } from '@hono/zod-openapi'
import type { Sql } from '../../streams/postgres.ts'
import type { App } from '../http/app.ts'
import { dateSchema } from '../http/paging.ts'
import { safeHeaders } from '../http/reply.ts'
import { routesOf } from '../http/route.ts'
import { type Audit, type AuditRow, auditPageMax, auditRows } from './audit.ts'

const routes = routesOf('audit')

const columns = ['at', 'authtype', 'authid', 'roles', 'address', 'action', 'subject', 'detail'] as const
const head = `${columns.join(',')}\r\n`
const example = `${head}"2026-11-24T02:40:10.964Z","app_user","jun","stock-manager","10.1.2.3","blockCustomer","test1","overdue"\r\n`

const reasonSchema = z
  .string()
  .min(3, 'must say why')
  .max(200)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text')
  .openapi({ description: 'why it is exported', example: 'monthly review' })

const exportAudit = routes.get('/audit', {
  operationId: 'exportAudit',
  summary: 'Export who did what',
  description:
    'Actions of staff, operators and programs that are not events, and reads of a person’s data by staff, oldest first. Days are UTC, and both are included.',
  access: ['operator'],
  request: {
    query: z.object({ reason: reasonSchema, from: dateSchema.optional(), to: dateSchema.optional() }),
  },
  responses: {
    200: {
      description: 'The rows, as CSV (RFC 4180) with a line of names',
      content: { 'text/csv': { schema: z.string().openapi('AuditCsv'), example } },
    },
  },
})

/** @param audit absent while identity is off. */
export function mountAudit({ app, sql, audit }: { app: App; sql: Sql; audit: Audit | undefined }): void {
  app.addRoute(exportAudit, async (c) => {
    const { reason, from = '2000-01-01', to = '2999-12-31' } = c.req.valid('query')
    await audit?.note(c, { action: 'exportAudit', subject: `${from} to ${to}`, detail: reason })
    const before = `${to}T24:00:00Z`
    // Read before the answer begins, so that a database that is away is a 503.
    const first = await auditRows(sql, `${from}T00:00:00Z`, before, '0')
    const lines = linesFrom(first, (after) => auditRows(sql, `${from}T00:00:00Z`, before, after))
    const headers = {
      ...safeHeaders,
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="audit-${app.about.service}.csv"`,
    }
    const body = ReadableStream.from(encoded(lines)) as unknown as BodyInit
    return new Response(body, { status: 200, headers }) as never
  })
}

async function* linesFrom(
  first: AuditRow[],
  next: (after: string) => Promise<AuditRow[]>,
): AsyncGenerator<string> {
  yield head
  for (let rows = first; rows.length > 0; rows = await next(rows.at(-1)!.id)) {
    yield rows.map(lineOf).join('')
    if (rows.length < auditPageMax) return
  }
}

async function* encoded(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder()
  for await (const line of lines) yield encoder.encode(line)
}

const lineOf = (row: AuditRow): string =>
  `${columns.map((it) => cellOf(it === 'at' ? row.at.toISOString() : (row[it] ?? ''))).join(',')}\r\n`

/** A spreadsheet would run what begins like a formula. Source: https://owasp.org/www-community/attacks/CSV_Injection */
const cellOf = (text: string): string =>
  `"${(/^[=+\-@＝＋－＠\t\r\n]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
