import postgres from 'postgres'
import { closing } from '../../streams/postgres.ts'

/**
 * Finishes the work of Postgres for a stopped contender. Otherwise its dead rows would be removed, and its pages written, during
 * the measurement of the next one.
 * @param name of its database, if it has one.
 */
export async function tidy(adminUrl: string, name: string): Promise<void> {
  await using admin = closing(postgres(adminUrl, { max: 1, onnotice: () => {} }))
  const [found] = await admin`select from pg_database where datname = ${name}`
  if (found) await vacuum(adminUrl, name)
  await admin`checkpoint`
}

async function vacuum(adminUrl: string, database: string): Promise<void> {
  await using sql = closing(postgres(adminUrl, { database, max: 1, onnotice: () => {} }))
  await sql`vacuum (analyze)`
}
