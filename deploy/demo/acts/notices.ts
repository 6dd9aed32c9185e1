import type { Notice } from '../people.ts'
import type { Act } from './act.ts'

const book = { bookid: 'matilda', title: 'Matilda' }
const userid = 'ann'
const decisionMaxS = 20
const noticesMaxMs = 60_000

export const notices: Act = {
  title: '3. The notifier misses a decision',
  async play({ stage, system, people }) {
    // Only a crash between sending a notice and recording it repeats the notice: let the earlier ones be recorded.
    const earlier = (await people.outcomes()).length
    await people.until(() => people.notices(), isComplete(earlier), noticesMaxMs)
    const pid = await system.kill('notifier')
    await stage.say(
      `kill -9 ${pid}: that was the notifier. Meanwhile ${userid} reserves ${book.title}, and stock decides. No process is there to send the notice.`,
    )
    await people.receive(book.bookid, book.title, 1)
    const { status, reservationid } = await people.reserve(book.bookid, userid, decisionMaxS)
    await stage.say(`The reservation is ${status}. The notifier starts again.`)
    const startedAt = performance.now()
    await system.start('notifier')
    const lineOf = () => system.linesOf('notifier').find((line) => line.includes(reservationid))
    const line = await people.until(async () => lineOf(), Boolean, noticesMaxMs)
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1)
    if (line) stage.quote(textOf(line))
    const all = await people.until(() => people.notices(), isComplete(earlier + 1), noticesMaxMs)
    const decided = (await people.outcomes()).length
    const notified = new Set(all.map((it) => it.reservationid)).size
    stage.check(
      'Customers are notified of every outcome, and never twice',
      line !== undefined && notified === decided && all.length === decided,
      `${userid} is notified ${seconds} s after the start; ${decided} outcomes, ${all.length} notices, ${all.length - notified} twice`,
    )
  },
}

const isComplete = (count: number) => (all: Notice[]) => all.length >= count

/** Of a log line of the notifier. */
function textOf(line: string): string {
  const { msg, userid } = JSON.parse(line) as { msg: string; userid: string }
  return `notifier: ${msg} ${userid}`
}
