/** `/book/{bookid}`: a book, and what becomes of a reservation of it. */
import type { Book, Reservation } from '../apis/reservation.ts'
import type { Stock } from '../apis/stock.ts'
import { availability, bookPath, titleOf } from '../book.ts'
import { notFound } from '../errors.ts'
import { keyField, keySchema } from '../form.ts'
import { type Html, html } from '../html.ts'
import { isId } from '../ids.ts'
import { type Part, part } from '../part.ts'
import { type Chance, chanceOf, rulesInWords } from '../prospects.ts'
import { isActive, reservationPath } from '../reservation.ts'
import type { PageRoutes } from '../routes.ts'
import type { Visit } from '../visit.ts'
import { wordFor } from '../words/words.ts'

/** Of the customer, of this book, among which active ones are looked for. */
const ownMax = 20

export function mountBook(routes: PageRoutes): void {
  const { reservation, stock } = routes.site.apis

  routes.get('/book/:bookid', 'anyone', async (visit, who) => {
    const bookid = visit.param('bookid')
    if (!isId(bookid)) return notFound(visit)
    const [listed, stocked, own] = await Promise.all([
      part(reservation.read('getBook', { bookid })),
      part(stock.read('getStock', { bookid })),
      part(ownOf(visit, mayReserve(visit) ? who?.userid : undefined, bookid)),
    ])
    const known = stocked.ok ? stocked.value : undefined
    const book = bookOf(listed, known)
    const parts = [listed, stocked, own]
    const newest = own.ok ? own.value : []
    const current = newest.filter(isActive)
    const seen = own.ok ? [bookid, who?.userid, newest[0]?.reservationid] : []
    const words = visit.words.book
    if (!book) {
      const title = listed.ok ? words.unknown : words.untitled(bookid)
      const main = html`<h1>${title}</h1>
<p class="author">${words.number}: ${bookid}</p>
${existing(visit, current)}
${listed.ok ? reserveForm(visit, { bookid, chance: { type: 'unknown' }, seen }) : ''}`
      return visit.show({ title, main, parts }, listed.ok ? 200 : 503)
    }
    const title = titleOf(visit.words, book)
    const main = html`<h1>${title}</h1>
${book.author ? html`<p class="author">${book.author}</p>` : ''}
${availability(visit.words, book)}
${existing(visit, current)}
${current.length > 0 && known?.rules?.onePerBook ? '' : reserveForm(visit, { bookid, chance: chanceOf(book, known), seen })}
${facts(visit, book)}
${known ? rules(visit, known) : ''}`
    return visit.show({ title, main, parts })
  })

  routes.post('/book/:bookid/reserve', 'known', async (visit, { userid }) => {
    const bookid = visit.param('bookid')
    const submitted = await visit.form(keySchema)
    if (!submitted.ok) return visit.goTo(bookPath(bookid), 'again')
    const answer = await reservation.call('reserve', { body: { bookid, userid }, key: submitted.values.key })
    // The form was sent before: by another person, or by this customer, whose data was erased since.
    if (!answer.ok || answer.body.userid !== userid) return visit.goTo(bookPath(bookid), 'again')
    return visit.goTo(reservationPath(answer.body.reservationid))
  })
}

/** With identity on, purchasers and operators have no reservations. */
const mayReserve = ({ who, hasLogin }: Visit): boolean =>
  !hasLogin || !who || who.roles.some((it) => it === 'customer' || it === 'stock-manager')

/** The person's reservations of the book, newest first. @throws {ApiDown} */
async function ownOf({ apis }: Visit, userid: string | undefined, bookid: string): Promise<Reservation[]> {
  if (userid === undefined) return []
  const answer = await apis.reservation.call('listReservations', { userid, bookid, limit: ownMax })
  return answer.ok ? answer.body.items : []
}

/** While the list is behind, or down, stock knows enough. */
function bookOf(listed: Part<Book | undefined>, stock: Stock | undefined): Book | undefined {
  if (listed.ok && listed.value) return listed.value
  if (!stock) return undefined
  const { qty, held, out, waiting, ...about } = stock
  return { ...about, qty, owned: qty + held + (out ?? 0), waiting: waiting ?? 0 }
}

const existing = ({ words }: Visit, own: Reservation[]): Html | '' =>
  own.length === 0
    ? ''
    : html`<p class="note">${words.book.yours} ${own.map(
        (it) =>
          html`<a href="${reservationPath(it.reservationid)}">${wordFor(words.reservation.status, it.status)}</a> `,
      )}</p>`

type Offer = {
  bookid: string
  chance: Chance | { type: 'unknown' }
  /** The customer's newest reservation, as the page shows it: forms in two tabs make one reservation. */
  seen: unknown[]
}

function reserveForm(visit: Visit, { bookid, chance, seen }: Offer): Html | '' {
  const { who, words, path } = visit
  if (!mayReserve(visit)) return ''
  const [text, submit] = offer(visit, chance)
  const form = () => html`<form method="post" action="${bookPath(bookid)}/reserve">
${visit.isAgain ? keyField() : keyField(...seen)}
<button>${submit}</button>
</form>`
  const entering = visit.hasLogin ? words.book.login : words.book.choose
  const choose = html`<p><a role="button" href="${visit.entrance(path)}">${entering}</a></p>`
  const button = submit === '' ? '' : who ? form() : choose
  return html`<section class="offer">${text ? html`<p>${text}</p>` : ''}${button}</section>`
}

/** @returns what to expect, and the words on the button; without any there is nothing to send. */
function offer({ words: { book } }: Visit, chance: Chance | { type: 'unknown' }): [string, string] {
  switch (chance.type) {
    case 'available':
      return ['', book.reserve]
    case 'wait':
      return [book.wait(chance.number), book.waitSubmit]
    case 'full':
      return [book.full, '']
    case 'ask':
      return [book.ask, book.askSubmit]
    case 'open':
      return [book.open, book.reserve]
    case 'unknown':
      return [book.unknownText, book.unknownSubmit]
  }
}

function facts({ words: { book: words } }: Visit, book: Book): Html {
  const queue = book.waiting > 0 ? words.waiting(book.waiting) : words.waitsNone
  return html`<dl class="facts">
<dt>${words.copies}</dt><dd>${words.owned(book.owned, book.qty)}</dd>
<dt>${words.queue}</dt><dd>${queue}</dd>
${book.isbn ? html`<dt>${words.isbn}</dt><dd>${book.isbn}</dd>` : ''}
<dt>${words.number}</dt><dd>${book.bookid}</dd>
</dl>`
}

const rules = ({ words }: Visit, stock: Stock): Html =>
  html`<h2>${words.book.rules}</h2>
<ul>${rulesInWords(words, stock.rules).map((it) => html`<li>${it}</li>`)}</ul>`
