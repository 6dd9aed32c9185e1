/**
 * A process that logs, for tests of its output: `speaker.ts ACT REPORT`. At the end it writes a report about itself
 * to the file REPORT.
 */
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLog } from '../../platform/log.ts'
import { type Act, floodLines, type Report } from './speaker-acts.ts'

const [act, file] = process.argv.slice(2) as [Act, string]
const tickMs = 10
const ticks = 100
/** The reader comes back during this time. */
const waitMs = 3_000

const report: Report = { latestMs: 0, dropped: {}, exitMs: 0 }
const log = createLog('speaker', 'debug', (level) => {
  report.dropped[level] = (report.dropped[level] ?? 0) + 1
})
let exitsAt = 0
process.on('exit', () => {
  report.exitMs = performance.now() - exitsAt
  writeFileSync(file, JSON.stringify(report))
})
process.on('uncaughtException', (error) => {
  log.fatal({ err: error }, 'uncaught error')
  exit(1)
})

function exit(code: number): never {
  exitsAt = performance.now()
  process.exit(code)
}

async function flood(): Promise<void> {
  log.warn('watch out')
  const perTick = floodLines / ticks
  for (let tick = 0; tick < ticks; tick++) {
    const at = performance.now()
    for (let i = 0; i < perTick; i++) log.info(`${'x'.repeat(80)} number ${tick * perTick + i}`)
    await sleep(tickMs)
    report.latestMs = Math.max(report.latestMs, performance.now() - at - tickMs)
  }
}

if (act === 'end') {
  for (let i = 0; i < 5; i++) log.info(`한 줄 ${i}`)
  exitsAt = performance.now()
} else if (act === 'crash') {
  log.info('the last but one')
  setTimeout(() => {
    log.info('the last')
    throw new Error('boom')
  }, 20)
} else {
  await flood()
  writeFileSync(`${file}.flooded`, '')
  if (act === 'flood and wait') await sleep(waitMs)
  else log.fatal('it ends')
  exit(0)
}
