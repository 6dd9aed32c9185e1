/** Every page, in both languages, and what pages show after something was done, or while something is down. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { ServiceName } from '../../platform/config.ts'
import { reserve } from '../harness/acts.ts'
import { folder, visit } from './accessibility.ts'
import { fill, ids, prepare } from './library.ts'
import { useStage } from './stage.ts'
import { down } from './states/down.ts'
import type { State } from './states/state.ts'
import { empty, pages, states } from './states.ts'

/** Axe reads a page four times, on a machine that may be busy. */
const patienceMs = 90_000
const stage = useStage()

/** Other states are made of the same pieces as the pages: one language is enough, except for the eye. */
function visitAll(some: State[], locales: string[] = folder ? ['ko', 'en'] : ['ko']): void {
  describe.each(locales)('in %s,', (locale) => {
    test.each(some)('$name', { timeout: patienceMs }, (it) => visit(stage(), it, locale))
  })
}

describe('with nothing in it:', () => visitAll(empty))

describe('with books:', () => {
  beforeAll(async () => {
    await prepare(stage())
    if (folder) await fill(stage())
  }, patienceMs)
  visitAll(pages, ['ko', 'en'])
  visitAll(states)

  describe.each(Object.entries(down))('while %s is down:', (service, some) => {
    const process = () => stage().system.processes[service as ServiceName][0]!
    beforeAll(async () => {
      await process().stop()
      if (service !== 'stock') return
      ids.requested = (await reserve(stage().system.reservation, 'other', 'new-reader')).reservationid
    })
    afterAll(() => process().start())
    visitAll(some.map((it) => ({ ...it, name: `${it.name}, ${service} down` })))
  })
})
