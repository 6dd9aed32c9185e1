import { expect, test, vi } from 'vitest'

vi.doMock('k6/execution', () => ({ default: {} }))
const { phaseAt } = await import('./phases.ts')

test('each phase lasts until its second, and the last one to the end', () => {
  const phases = { before: 30, spike: 65, after: 120 }
  const at = (second: number) => phaseAt(phases, second / 120)
  expect([0, 29.9, 30, 64.9, 65, 120, 121].map(at)).toEqual([
    'before',
    'before',
    'spike',
    'spike',
    'after',
    'after',
    'after',
  ])
})
