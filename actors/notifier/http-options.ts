import type { App } from '../../platform/http/app.ts'
import type { Reads } from '../../platform/http/reads.ts'
import type { Audit } from '../../platform/identity/audit.ts'
import type { Sql } from '../../streams/postgres.ts'
import type { Print } from './console.ts'
import type { Routing } from './plan/routing.ts'

/** The parts that the HTTP API of the notifier calls. */
export type NotifierHttpOptions = {
  app: App
  sql: Sql
  /** For lists. */
  reads: Reads
  routing: Routing
  /** Whether webhooks may be http and have private addresses. */
  allowPrivate: boolean
  /** The bearer token of those who post alerts. Without it, none are accepted. */
  alertToken: string | undefined
  print: Print
  /** Called when notices have become due. */
  wake(): void
  /** Absent while identity is off. */
  audit?: Audit | undefined
}
