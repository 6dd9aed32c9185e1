/** The autoscaler of `prod` finds what it scales by in the streams of a running system. */
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { eventually } from '../../../tests/doubles/eventually.ts'
import { useSystem } from '../../../tests/harness/system.ts'
import { find, render } from './render.ts'
import { settingsOf } from './rules/rule.ts'

const manifests = await render('overlays/prod')
const { PARTITIONS, REDIS_PREFIX } = settingsOf(manifests)
const partitions = Number(PARTITIONS)
const system = useSystem({ partitions })

test.each(['stock', 'notifier'])(
  'KEDA finds the lag of every partition of %s, and scales to at most as many workers',
  async (service) => {
    const { triggers, advanced } = find(manifests, 'ScaledObject', service).spec
    expect(triggers).toHaveLength(partitions)
    const redis = new Redis(system().redisUrl)
    try {
      for (const { metadata } of triggers) {
        const stream = metadata.stream.replace(`{${REDIS_PREFIX}:`, `{${system().redisPrefix}:`)
        // Its owner makes the group when it takes the partition over.
        await eventually(
          async () => {
            const groups = (await redis.xinfo('GROUPS', stream)) as unknown[][]
            const group = groups.find((it) => it[it.indexOf('name') + 1] === metadata.consumerGroup)
            return typeof group?.[group.indexOf('lag') + 1] === 'number'
          },
          { message: `${stream} shows no lag of ${metadata.consumerGroup}` },
        )
      }
    } finally {
      redis.disconnect()
    }
    const { formula, target } = advanced.scalingModifiers
    const names = triggers.map(({ name }: { name: string }) => name)
    // KEDA's formulas and JavaScript agree on sums, decimals and `min`.
    const evaluate = new Function('min', ...names, `return ${formula}`)
    const workers = (lag: number) => evaluate(Math.min, ...names.map(() => lag)) / Number(target)
    expect(workers(0)).toBe(0)
    expect(workers(Number(target) / 2)).toBe(partitions / 2)
    expect(workers(1_000_000)).toBe(partitions)
  },
)
