/** A rush for one title, in the size that a test run affords; `rush.long.test.ts` has ten times as many customers. */
import { test } from 'vitest'
import { env, rush } from './harness/rush.ts'
import { useSystem } from './harness/system.ts'

const system = useSystem({ partitions: 2, notifier: 0, env })

test(
  '300 copies go to the first of 1,000 who wait, while others come and leave and stock is killed twice',
  {
    timeout: 240_000,
  },
  () => rush(system(), { customers: 1_000, copies: 300, newcomers: 50, leavers: 50 }),
)
