/** `npm run seed`: fills a running system with books, so that lists and searches have something to show. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { call, callEvery } from '../local/call.ts'
import { Progress } from '../local/progress.ts'
import { runningSystem } from '../local/servers/running.ts'
import { runCommand } from '../ops/command.ts'
import { type Book, readBooks } from './books.ts'

const help = `Fills a running system with 200 books in Korean and English, with their copies.

  npm run seed [-- --reservation URL --stock URL]

  --reservation URL  its reservation service, such as http://localhost:8081
  --stock URL        its stock service, such as http://localhost:8082
                     without these two: a running npm start, with its data in DATA_DIR (.data)

With identity on, the token of a stock manager must be in TOKEN (npm run token prints one).

A book that stock knows is left as it is, so running it again changes nothing.`

type Urls = { reservation: string; stock: string }

const receiptsAtOnce = 8
const credentials: Record<string, string> = process.env.TOKEN
  ? { authorization: `Bearer ${process.env.TOKEN}` }
  : {}
const listedMaxMs = 10_000

/** Worth a look afterwards. */
const queries = ['limit=200', 'q=tolkien', `q=${encodeURIComponent('한강')}`, 'available=false']

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      reservation: { type: 'string' },
      stock: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return console.log(help)
  const urls = urlsOf(values)
  const books = await readBooks()
  const known = await idsOf(urls.stock, 'stocks')
  const missing = books.filter((it) => !known.has(it.bookid))
  await receive(urls.stock, missing)
  await untilListed(urls.reservation, books)
  const copies = missing.reduce((sum, it) => sum + it.copies, 0)
  const before = books.length - missing.length
  console.log(`Received ${missing.length} books with ${copies} copies; ${before} books were there before.`)
  console.log(`\nLook at them:\n\n  ${queries.map((it) => `${urls.reservation}/books?${it}`).join('\n  ')}`)
})

function urlsOf(given: Partial<Urls>): Urls {
  if (!given.reservation !== !given.stock) throw new Error('Give both --reservation and --stock, or neither')
  const dataDir = process.env.DATA_DIR || '.data'
  const { reservation, stock } = given.stock ? given : (runningSystem(dataDir)?.services ?? {})
  if (reservation && stock) return { reservation, stock }
  throw new Error(
    `Cannot find a running npm start in ${dataDir}. Start it, or name another system with --reservation and --stock`,
  )
}

async function receive(stock: string, books: Book[]): Promise<void> {
  const progress = new Progress({ everyMs: 1_000 })
  const waiting = [...books]
  const worker = async () => {
    for (let book = waiting.shift(); book; book = waiting.shift()) {
      const { copies, ...about } = book
      // Two commands at the same time have one effect, too.
      const headers = { ...credentials, 'idempotency-key': `seed ${book.bookid}` }
      await call(`${stock}/stocks`, { json: { ...about, qty: copies }, headers })
      progress.show(`${books.length - waiting.length} of ${books.length} books`)
    }
  }
  try {
    await Promise.all(Array.from({ length: receiptsAtOnce }, worker))
  } finally {
    progress.clear()
  }
}

/** The book list follows stock with a short delay. */
async function untilListed(reservation: string, books: Book[]): Promise<void> {
  for (const deadline = performance.now() + listedMaxMs; ; await sleep(100)) {
    const listed = await idsOf(reservation, 'books')
    if (books.every((it) => listed.has(it.bookid))) return
    if (performance.now() > deadline)
      throw new Error(`The book list of ${reservation} does not show all books after ${listedMaxMs} ms`)
  }
}

async function idsOf(url: string, collection: 'stocks' | 'books'): Promise<Set<string>> {
  const all = await callEvery<{ bookid: string }>(url, collection, { headers: credentials })
  return new Set(all.map((it) => it.bookid))
}
