/** A rush for one title, in the size of a bestseller. */
import { test } from 'vitest'
import { env, rush } from './harness/rush.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({ partitions: 2, notifier: 0, env })

test(
  '3,000 copies go to the first of 10,000 who wait, while others come and leave and stock is killed twice',
  {
    timeout: 600_000,
  },
  () => rush(system(), { customers: 10_000, copies: 3_000, newcomers: 500, leavers: 500 }),
)
