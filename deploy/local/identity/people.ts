/** The people who can log in at the local provider, and its only client. They need no password. */
import type { Role } from '../../../web/who.ts'

type LocalPerson = { userid: string; role: Role }

/** The pages. */
export const clientId = 'web'

export const people: readonly LocalPerson[] = [
  { userid: 'mina', role: 'customer' },
  { userid: 'jun', role: 'stock-manager' },
  { userid: 'hana', role: 'purchaser' },
  { userid: 'ops', role: 'operator' },
]
