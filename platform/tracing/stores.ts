/** The stores that a span is about, by OpenTelemetry's conventions. */
import { databaseAddress } from '../../streams/database-url.ts'
import { redisAddress } from '../../streams/redis-url.ts'
import type { Facts } from './tracing.ts'

/** Source: https://opentelemetry.io/docs/specs/semconv/db/postgresql/ */
export function postgresFacts(databaseUrl: string, schema: string): Facts {
  const { database, host, port } = databaseAddress(databaseUrl)
  const servers = host.map((it, index) => ({ host: it, port: port[index]! }))
  return {
    'db.system.name': 'postgresql',
    'db.namespace': database === undefined ? schema : `${database}|${schema}`,
    ...serverFacts(servers),
  }
}

/** Source: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/ */
export const redisFacts = (redisUrl: string): Facts => ({
  'messaging.system': 'redis_streams',
  ...serverFacts(redisAddress(redisUrl).nodes),
})

/** If there are several, only the driver knows which of them it uses. */
const serverFacts = ([first, ...others]: { host: string; port: number }[]): Facts =>
  others.length > 0 ? {} : { 'server.address': first!.host, 'server.port': first!.port }
