import type { Act } from './act.ts'

const book = { bookid: 'momo', title: 'Momo' }
const copies = 3
const crowd = 100
const decisionMaxS = 20

export const rush: Act = {
  title: '1. A rush on the last copies',
  async play({ stage, people }) {
    await stage.say(
      `${copies} copies of ${book.title} are on the shelf, and ${crowd} customers reserve one at the same moment. A system that looks at the stock and then subtracts would promise some copies twice. Here one actor decides for the book, one reservation after the other.`,
    )
    await people.receive(book.bookid, book.title, copies)
    const count = { Reserved: 0, Failed: 0, waiting: crowd }
    const startedAt = performance.now()
    const customers = Array.from({ length: crowd }, async (_, n) => {
      const { status } = await people.reserve(book.bookid, `rush-${n}`, decisionMaxS)
      if (status !== 'Reserved' && status !== 'Failed') return
      count[status]++
      count.waiting--
      stage.figures(`Reserved ${count.Reserved}   refused ${count.Failed}   waiting ${count.waiting}`)
    })
    await Promise.all(customers)
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(2)
    const { qty, held } = await people.stockOf(book.bookid)
    stage.check(
      'A copy is never promised twice',
      count.Reserved === copies && count.Failed === crowd - copies && qty === 0 && held === copies,
      `${count.Reserved} Reserved, ${count.Failed} refused within ${seconds} s; stock has ${qty} left and holds ${held}`,
    )
  },
}
