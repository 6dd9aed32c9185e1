/** Customers' contacts, as they are stored. */
import type { Sql } from '../../../streams/postgres.ts'
import type { PersonalChannel } from '../channels/all.ts'
import type { Addresses } from '../plan/notice.ts'

/** How a customer wants to be notified. */
export type Contact = Addresses & {
  /** BCP 47. */
  locale: string
  /** In order of preference; null: the operators' order. */
  channels: PersonalChannel[] | null
}

export type Customer = Contact & { userid: string; updatedAt: Date }

export async function readCustomer(sql: Sql, userid: string): Promise<Customer | undefined> {
  const [customer] = await sql<Customer[]>`
    select userid, email, webhook, phone, locale, to_json(channels) as channels, updated_at as "updatedAt"
    from customer where userid = ${userid}`
  return customer
}

/** Replaces the whole contact of a customer. @returns the contact, and whether it is the customer's first. */
export async function writeCustomer(
  sql: Sql,
  userid: string,
  { email, webhook, phone, locale, channels }: Contact,
): Promise<{ customer: Customer; created: boolean }> {
  // xmax is 0 on a row that only its own insert has touched.
  const [row] = await sql<(Customer & { created: boolean })[]>`
    insert into customer (userid, email, webhook, phone, locale, channels)
    values (${userid}, ${email}, ${webhook}, ${phone}, ${locale}, ${channels}::text[])
    on conflict (userid) do update
    set email = excluded.email, webhook = excluded.webhook, phone = excluded.phone, locale = excluded.locale,
      channels = excluded.channels, updated_at = clock_timestamp()
    returning userid, email, webhook, phone, locale, to_json(channels) as channels, updated_at as "updatedAt",
      xmax = 0 as created`
  const { created, ...customer } = row!
  return { customer, created }
}
