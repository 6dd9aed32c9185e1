import postgres from 'postgres'

/**
 * Finishes the work of Postgres for a stopped contender. Otherwise its dead rows would be removed, and its pages written, during
 * the measurement of the next one.
 * @param name of its database, if it has one.
 */
export async function tidy(adminUrl: string, name: string): Promise<void> {
  const admin = postgres(adminUrl, { max: 1, onnotice: () => {} })
  try {
    const [found] = await admin`select from pg_database where datname = ${name}`
    if (found) await vacuum(adminUrl, name)
    await admin`checkpoint`
  } finally {
    await admin.end({ timeout: 2 })
  }
}

async function vacuum(adminUrl: string, database: string): Promise<void> {
  const sql = postgres(adminUrl, { database, max: 1, onnotice: () => {} })
  try {
    await sql`vacuum (analyze)`
  } finally {
    await sql.end({ timeout: 2 })
  }
}
