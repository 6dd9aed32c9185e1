/** Customers' contacts. */
import type { Sql } from '../../streams/postgres.ts'
import type { Contact } from './notice.ts'

export type Customer = Contact & { userid: string; updatedAt: Date }

export async function readCustomer(sql: Sql, userid: string): Promise<Customer | undefined> {
  const [customer] = await sql<Customer[]>`
    select userid, email, webhook, locale, updated_at as "updatedAt" from customer where userid = ${userid}`
  return customer
}

/** Replaces a customer's contact as a whole. @returns it, and whether it is the first. */
export async function writeCustomer(
  sql: Sql,
  userid: string,
  { email, webhook, locale }: Contact,
): Promise<{ customer: Customer; created: boolean }> {
  // xmax is 0 on a row that no transaction but its own insert has touched.
  const [row] = await sql<(Customer & { created: boolean })[]>`
    insert into customer (userid, email, webhook, locale) values (${userid}, ${email}, ${webhook}, ${locale})
    on conflict (userid) do update
    set email = excluded.email, webhook = excluded.webhook, locale = excluded.locale, updated_at = clock_timestamp()
    returning userid, email, webhook, locale, updated_at as "updatedAt", xmax = 0 as created`
  const { created, ...customer } = row!
  return { customer, created }
}
