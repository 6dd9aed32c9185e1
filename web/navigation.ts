/** The links at the top of every page, by role. */
import type { Role } from './who.ts'
import type { Words } from './words/words.ts'

type Link = { path: string; name: keyof Omit<Words['nav'], 'label'> }

const books: Link = { path: '/', name: 'books' }
const mine: Link[] = [
  { path: '/me', name: 'mine' },
  { path: '/me/settings', name: 'settings' },
]

const operations: Link[] = [
  { path: '/ops', name: 'ops' },
  { path: '/ops/letters', name: 'letters' },
  { path: '/ops/notices', name: 'notices' },
  { path: '/ops/alerts', name: 'alerts' },
]

const links: Record<Role, Link[]> = {
  customer: [books, ...mine],
  'stock-manager': [books],
  purchaser: [books],
  operator: [...operations, books],
}

export const linksOf = (role: Role | undefined): Link[] => (role ? links[role] : [books])
