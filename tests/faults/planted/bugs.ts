/** The bugs that the campaign must detect. */
import type { Bug } from './bug.ts'
import { copies } from './copies.ts'
import { customers } from './customers.ts'
import { notices } from './notices.ts'
import { queues } from './queues.ts'
import { reservations } from './reservations.ts'
import { restores } from './restores.ts'
import { streams } from './streams.ts'

export const bugs: Bug[] = [
  ...streams,
  ...restores,
  ...reservations,
  ...copies,
  ...queues,
  ...customers,
  ...notices,
]
