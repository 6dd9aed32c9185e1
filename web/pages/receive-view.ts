/** How `/receive` looks: a field to scan into, and below it the answer. */
import type { Book } from '../apis/reservation.ts'
import type { Facts, Purchase, Stock } from '../apis/stock.ts'
import { titleOf } from '../book.ts'
import { codeOf } from '../code.ts'
import { faultsOf, keyField, textField } from '../form.ts'
import { type Html, html } from '../html.ts'
import { isbnOf } from '../isbn.ts'
import { notices } from '../layout.ts'
import { copiesMax } from '../receipt.ts'
import { stockPath } from '../stock.ts'
import type { Reply, Visit } from '../visit.ts'
import type { Words } from '../words/words.ts'

export type Answer =
  | { type: 'nothing' }
  | { type: 'misread'; scanned: string }
  /** The number of copies cannot be one. */
  | { type: 'miscounted'; scan: string; qty: string }
  /**
   * @param next those to which the copies went.
   * @param receipt the key of the receipt, which is undone once.
   */
  | {
      type: 'received'
      stock: Stock
      qty: number
      ordered: boolean
      next: Facts[]
      receipt?: string | undefined
    }
  /** The form was used for another receipt before. */
  | { type: 'repeated'; stock: Stock | undefined }
  | { type: 'undone' | 'kept'; stock: Stock; qty: number; ordered: boolean }
  | { type: 'several'; books: Book[]; qty: number }
  /** @param stock undefined if the library never had the book. */
  | { type: 'order'; purchase: Purchase; stock: Stock | undefined; given?: Given; faults?: string[] }
  | { type: 'new'; given: Given; faults: string[] }

/** The texts that the person entered. */
type Given = Record<string, string>

/** @param said the result in a sentence, for the eyes and for screen readers. */
type View = { said: string; tone?: 'good' | 'warm' | 'bad'; more: Html | ''; focus: 'scan' | 'more' }

export function showReceive(visit: Visit, answer: Answer): Reply {
  const { said, tone = 'good', more, focus } = viewOf(visit, answer)
  const isFaulty =
    answer.type.startsWith('mis') ||
    ('faults' in answer && answer.faults !== undefined && answer.faults.length > 0)
  const status = isFaulty ? 422 : 200
  const given = answer.type === 'miscounted' ? answer : undefined
  if (visit.isPartial) {
    return visit.fragment(
      html`<div>${more}</div>
<p id="said" role="status" class="answer ${tone}" hx-swap-oob="outerHTML">${said}</p>
${scanForm(visit, { hasFocus: focus === 'scan', given, isPartial: true })}
${notices(visit.words, [], true)}`,
      status,
    )
  }
  const main = html`<h1>${visit.words.receive.title}</h1>
${scanForm(visit, { hasFocus: focus === 'scan', given })}
<p id="said" role="status" class="answer ${tone}">${said}</p>
<div id="more"><div>${more}</div></div>
<p><a href="/receive/csv">${visit.words.receive.csv}</a></p>`
  return visit.show({ title: visit.words.receive.title, main }, status)
}

type ScanOptions = {
  hasFocus: boolean
  /** With a number of copies that cannot be one. */
  given: { scan: string; qty: string } | undefined
  isPartial?: boolean
}

function scanForm({ words: { receive } }: Visit, { hasFocus, given, isPartial }: ScanOptions): Html {
  const { scan = '', qty = '1' } = given ?? {}
  return html`<form id="scanning" method="post" action="/receive" class="scan" autocomplete="off"${posting('/receive')}${
    isPartial ? html` hx-swap-oob="true"` : ''
  }>
${keyField()}
<div><label for="scan">${receive.scan}</label>
<input id="scan" name="scan" value="${scan}" maxlength="200" required spellcheck="false" autocapitalize="off" enterkeyhint="go"${
    hasFocus && !given ? html` autofocus` : ''
  }></div>
<div class="count">${qtyField(receive, 'scan-qty', qty, given !== undefined)}</div>
<button>${receive.submit}</button>
${qtyFault(receive, 'scan-qty', given !== undefined)}
</form>`
}

/** With scripts, in place and in turn: the answer brings a new field, with the focus. */
const posting = (path: string): Html => html` hx-post="${path}" hx-target="#more" hx-sync="#more:queue all"`

/** With the focus, if its value is at fault. */
const qtyField = (words: Words['receive'], id: string, value: string, isFaulty: boolean): Html =>
  html`<label for="${id}">${words.qty}</label>
<input id="${id}" name="qty" type="number" inputmode="numeric" min="1" max="${copiesMax}" value="${value}" required${
    isFaulty ? html` aria-invalid="true" aria-describedby="${id}-fault" autofocus` : ''
  }>`

const qtyFault = (words: Words['receive'], id: string, isFaulty: boolean): Html | '' =>
  isFaulty ? html`<small id="${id}-fault" class="fault">${words.faults.qty}</small>` : ''

function viewOf(visit: Visit, answer: Answer): View {
  const { receive } = visit.words
  switch (answer.type) {
    case 'nothing':
      return { said: '', more: '', focus: 'scan' }
    case 'misread':
      return { said: receive.misread(answer.scanned), tone: 'bad', more: '', focus: 'scan' }
    case 'miscounted':
      return { said: '', more: '', focus: 'scan' }
    case 'received': {
      const { stock, qty, next, ordered } = answer
      return {
        said: `${receive.received(titleOf(visit.words, stock), qty)} ${nextInWords(visit, next, stock, qty)}`,
        more: html`${figures(visit, stock)}${ordered ? html`<p>${receive.ordered}</p>` : ''}
${undoForm(visit, answer)}`,
        focus: 'scan',
      }
    }
    case 'repeated':
      return {
        said: receive.repeated,
        tone: 'warm',
        more: answer.stock ? figures(visit, answer.stock) : '',
        focus: 'scan',
      }
    case 'undone': {
      const { stock, qty, ordered } = answer
      return {
        said: receive.undone(titleOf(visit.words, stock), qty),
        tone: 'warm',
        more: html`${figures(visit, stock)}${ordered ? html`<p>${receive.orderStays}</p>` : ''}`,
        focus: 'scan',
      }
    }
    case 'kept':
      return { said: receive.kept, tone: 'bad', more: figures(visit, answer.stock), focus: 'scan' }
    case 'several':
      return { said: receive.several, tone: 'warm', more: choices(visit, answer), focus: 'more' }
    case 'order':
      return orderView(visit, answer)
    case 'new': {
      const { given, faults } = answer
      const isAgain = faults.length > 0
      const said = isAgain
        ? ''
        : given.isbn
          ? receive.unknown(given.isbn)
          : receive.unknownNumber(given.bookid!)
      return { said, tone: 'warm', more: newForm(visit, given, faults), focus: 'more' }
    }
  }
}

/** The reservation, not the customer's name: others can see the screen. */
function nextInWords({ words: { receive } }: Visit, next: Facts[], stock: Stock, qty: number): string {
  const [first] = next
  if (first?.reservationid === undefined) return receive.openShelf
  const codes = next.map(({ reservationid }) => codeOf(reservationid!))
  const place = first.place ?? 1
  return codes.length === 1 && qty === 1
    ? receive.next(codes[0]!, place, stock.waiting ?? 0)
    : receive.nextOfMany(codes, qty - codes.length)
}

const figures = (visit: Visit, stock: Stock): Html => {
  const { words } = visit
  const { qty, held, waiting, author } = stock
  return html`<p><a href="${stockPath(stock.bookid)}">${titleOf(words, stock)}</a>${author ? html`, ${author}` : ''}<br>
${words.receive.now(qty, held, waiting ?? 0)}</p>`
}

const undoForm = (
  { words: { receive } }: Visit,
  { stock, qty, ordered, receipt }: Extract<Answer, { type: 'received' }>,
): Html =>
  html`<form method="post" action="/receive/undo"${posting('/receive/undo')}>
${receipt === undefined ? keyField() : keyField('undo', receipt)}
<input type="hidden" name="bookid" value="${stock.bookid}"><input type="hidden" name="qty" value="${qty}">
${ordered ? html`<input type="hidden" name="ordered" value="yes">` : ''}
<button class="quiet">${receive.undo}</button>
</form>`

const choices = ({ words }: Visit, { books, qty }: { books: Book[]; qty: number }): Html =>
  html`<ul class="rows">${books.map(
    (book, i) => html`<li><div><strong>${titleOf(words, book)}</strong>
<p>${book.author} ${words.book.number}: ${book.bookid}</p></div>
<form method="post" action="/receive/book"${posting('/receive/book')}>${keyField()}
<input type="hidden" name="bookid" value="${book.bookid}"><input type="hidden" name="qty" value="${qty}">
<button${i === 0 ? html` autofocus` : ''}>${words.receive.submit}</button></form></li>`,
  )}</ul>`

function orderView(visit: Visit, answer: Extract<Answer, { type: 'order' }>): View {
  const { receive } = visit.words
  const { purchase, stock, given: entered = {}, faults = [] } = answer
  const { bookid, purchaseid, qty, orderedAt, status, receivedAt } = purchase
  const seen = [purchaseid, receivedAt, stock?.onOrder]
  const title = titleOf(visit.words, stock ?? purchase)
  const said = status === 'Ordered' ? '' : receive.orderDone
  const of = html`<h2>${title}</h2><p>${receive.orderOf(qty)} ${visit.dates.day(orderedAt)}</p>`
  if (!stock) {
    const given = {
      bookid,
      purchaseid,
      qty: String(qty),
      title: purchase.title,
      isbn: isbnOf(bookid) ?? '',
      ...entered,
    }
    return { said, tone: 'warm', more: html`${of}${newForm(visit, given, faults, seen)}`, focus: 'more' }
  }
  const more = html`${of}<form method="post" action="/receive/book" class="narrow"${posting('/receive/book')}>
${keyField(...seen)}
<input type="hidden" name="bookid" value="${bookid}"><input type="hidden" name="purchaseid" value="${purchaseid}">
${qtyField(receive, 'order-qty', entered.qty ?? String(qty), faults.includes('qty'))}${qtyFault(receive, 'order-qty', faults.includes('qty'))}
<button>${receive.submit}</button>
</form>`
  return { said, tone: 'warm', more, focus: faults.length > 0 ? 'more' : 'scan' }
}

/** @param seen the order that the book was bought with. */
function newForm({ words }: Visit, given: Given, faults: string[], seen: unknown[] = []): Html {
  const { receive } = words
  const faultOf = (name: string) => (faults.includes(name) ? receive.faults[name] : undefined)
  const { bookid = '', purchaseid = '', qty = '1' } = given
  const field = (name: 'title' | 'author' | 'isbn', more: object = {}) =>
    textField({
      name,
      label: name === 'title' ? receive.bookTitle : receive[name],
      value: given[name],
      fault: faultOf(name),
      autocomplete: 'off',
      ...more,
    })
  return html`${faultsOf(
    words,
    faults.flatMap((it) => receive.faults[it] ?? []),
  )}<form method="post" action="/receive/book" class="narrow"${posting('/receive/book')}>
${keyField(...seen)}
<input type="hidden" name="bookid" value="${bookid}">
${purchaseid ? html`<input type="hidden" name="purchaseid" value="${purchaseid}">` : ''}
<p>${words.book.number}: <strong>${bookid}</strong></p>
${field('title', { required: true, autofocus: faults.length === 0 })}
${field('author')}
${field('isbn')}
${qtyField(receive, 'new-qty', qty, faults.includes('qty'))}${qtyFault(receive, 'new-qty', faults.includes('qty'))}
<button>${receive.submitNew}</button>
</form>`
}
