/** The links at the top of every page, by role. */
import type { Role } from './who.ts'
import type { Words } from './words/words.ts'

type Link = { path: string; name: keyof Omit<Words['nav'], 'label'> }

const books: Link = { path: '/', name: 'books' }
const mine: Link[] = [
  { path: '/me', name: 'mine' },
  { path: '/me/settings', name: 'settings' },
]
const receive: Link = { path: '/receive', name: 'receive' }
const stock: Link = { path: '/stock', name: 'stock' }
const wanted: Link = { path: '/wanted', name: 'wanted' }
const orders: Link = { path: '/orders', name: 'orders' }

const work: Link[] = [
  { path: '/desk', name: 'desk' },
  { path: '/shelf/pull', name: 'pull' },
  { path: '/shelf/ready', name: 'ready' },
  { path: '/return', name: 'returns' },
]

const operations: Link[] = [
  { path: '/ops', name: 'ops' },
  { path: '/ops/letters', name: 'letters' },
  { path: '/ops/notices', name: 'notices' },
  { path: '/ops/alerts', name: 'alerts' },
]

const links: Record<Role, Link[]> = {
  customer: [books, ...mine],
  'stock-manager': [...work, receive, stock, orders, books],
  purchaser: [wanted, orders, stock, books],
  operator: [...operations, stock, books],
}

/** Those of staff first, each once. */
export function linksOf(roles: readonly Role[] = []): Link[] {
  const ordered = roles.toSorted((a, b) => Number(a === 'customer') - Number(b === 'customer'))
  return roles.length > 0 ? [...new Set(ordered.flatMap((role) => links[role]))] : [books]
}
