/** The people who can log in at the local provider. They need no password. */
import type { Role } from '../../../web/who.ts'

export type LocalPerson = { userid: string; role: Role }

export const people: readonly LocalPerson[] = [
  { userid: 'mina', role: 'customer' },
  { userid: 'jun', role: 'stock-manager' },
  { userid: 'hana', role: 'purchaser' },
  { userid: 'ops', role: 'operator' },
]
