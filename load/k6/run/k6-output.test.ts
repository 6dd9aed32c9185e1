import { expect, test } from 'vitest'
import { Progress } from '../../../deploy/local/progress.ts'
import { K6Output } from './k6-output.ts'

/** The lines of k6 1.8.1 in one second of a run. */
const second = (n: number) => [
  '',
  `running (0m${n.toFixed(1)}s), 03/25 VUs, ${n * 50} complete and 0 interrupted iterations`,
  `reserve   [ ${Math.round((n / 180) * 100)}% ] 03/25 VUs  0m${n.toFixed(1)}s/3m00.0s  50.00 iters/s`,
]

const logo = ['', '         /\\      Grafana   /‾‾/  ', '    /\\  /  \\     |\\  __   /  /   ', '']
const before = ['     execution: local', '        script: reserve.ts', '']
const after = ['     ✓ reserved', '', '     http_reqs......: 150   50/s']

function play(isTTY: boolean, seconds: number) {
  const shown: string[] = []
  const lines: string[] = []
  let now = 0
  const stream = { isTTY, columns: 100, write: (text: string) => shown.push(text) > 0 }
  const output = new K6Output(new Progress({ stream, everyMs: 60_000, now: () => now }), (line) =>
    lines.push(line),
  )
  for (const line of [...logo, ...before]) output.line(line)
  for (let n = 1; n <= seconds; n++) {
    now = n * 1_000
    for (const line of second(n)) output.line(line)
  }
  for (const line of after) output.line(line)
  return { shown, lines }
}

test('without a terminal, k6 reports progress once a minute instead of three lines a second', () => {
  const { shown, lines } = play(false, 180)
  expect(shown).toEqual([
    'reserve 1%, running (0m1.0s), 03/25 VUs, 50 complete and 0 interrupted iterations\n',
    'reserve 34%, running (0m61.0s), 03/25 VUs, 3050 complete and 0 interrupted iterations\n',
    'reserve 67%, running (0m121.0s), 03/25 VUs, 6050 complete and 0 interrupted iterations\n',
  ])
  expect(lines).toEqual([...before, ...after])
})

test('on a terminal, the line is overwritten every second, and is gone before the results', () => {
  const { shown, lines } = play(true, 3)
  expect(shown).toHaveLength(4)
  expect(shown[2]).toBe(
    '\r\x1b[Kreserve 2%, running (0m3.0s), 03/25 VUs, 150 complete and 0 interrupted iterations',
  )
  expect(shown[3]).toBe('\r\x1b[K')
  expect(lines).toEqual([...before, ...after])
})
