/**
 * `/receive`: a copy is scanned, received and given to the reservation that is next. One scan, one answer.
 *
 * With scripts the answer is swapped below the field, which gets the focus back; without, it is on the page that the browser reads next.
 */
import { z } from 'zod'
import { withQuery } from '../address.ts'
import type { Receipt, Stock } from '../apis/stock.ts'
import { keySchema } from '../form.ts'
import { idSchema } from '../ids.ts'
import { copiesMax, findScanned, isReused, receive, servedBy } from '../receipt.ts'
import type { PageRoutes } from '../routes.ts'
import type { Reply, Visit } from '../visit.ts'
import { type Answer, showReceive } from './receive-view.ts'

const qty = z.coerce.number().int().min(1).max(copiesMax)
const text = z.string().trim().max(500)
/** A scan meant for the other field would become the title of a book. */
const title = text.min(1).refine((it) => !/^[\d\s-]{8,}X?$/i.test(it))
const optional = text.transform((it) => it || undefined).optional()

const scanSchema = keySchema.extend({ scan: text.min(1), qty })
const bookSchema = keySchema.extend({
  bookid: idSchema,
  qty,
  purchaseid: optional,
  /** Of a new book. */
  title: title.optional(),
  author: optional,
  isbn: optional,
})
const undoSchema = keySchema.extend({ bookid: idSchema, qty, ordered: z.string().optional() })

/** Of a book, of which those since the last receipt are looked at. */
const movementsMax = 200

export function mountReceive(routes: PageRoutes): void {
  const { apis } = routes.site

  routes.get('/receive', ['stock-manager'], async (visit) => showReceive(visit, await askedFor(visit)))

  routes.post('/receive', ['stock-manager'], async (visit) => {
    const submitted = await visit.form(scanSchema)
    if (!submitted.ok) {
      const { scan = '', qty = '' } = submitted.given
      if (submitted.faults.includes('qty')) return showReceive(visit, { type: 'miscounted', scan, qty })
      return showReceive(visit, { type: 'misread', scanned: scan })
    }
    const { key, scan, qty } = submitted.values
    const found = await findScanned(apis, scan)
    if (found.type !== 'known') {
      if (!visit.isPartial) return visit.goTo(pathOf({ scan, qty }))
      return showReceive(visit, answerTo(found, scan, qty))
    }
    const { stock } = found
    // A book that is scanned before the answer to the last scan has the key of that one, and is another receipt.
    return add(visit, { bookid: stock.bookid, qty }, `${key}:${stock.bookid}`, stock)
  })

  routes.post('/receive/book', ['stock-manager'], async (visit) => {
    const submitted = await visit.form(bookSchema)
    if (!submitted.ok) return showReceive(visit, await faulty(visit, submitted.given, submitted.faults))
    const { key, ...receipt } = submitted.values
    return add(visit, receipt, key, await apis.stock.read('getStock', { bookid: receipt.bookid }))
  })

  routes.post('/receive/undo', ['stock-manager'], async (visit) => {
    const submitted = await visit.form(undoSchema)
    if (!submitted.ok) return visit.goTo('/receive')
    const { key, bookid, qty, ordered } = submitted.values
    const withdrawal = { bookid, qty, reason: 'Corrected', evenHeld: true } as const
    const answer = await apis.stock.call('withdrawCopies', { body: withdrawal, key })
    const type = answer.ok ? 'undone' : 'kept'
    if (!visit.isPartial) return visit.goTo(pathOf({ [type]: bookid, qty, ordered }))
    const stock = answer.ok ? answer.body : await apis.stock.read('getStock', { bookid })
    return showReceive(visit, stock ? { type, stock, qty, ordered: !!ordered } : { type: 'nothing' })
  })
}

async function add(visit: Visit, receipt: Receipt, key: string, known: Stock | undefined): Promise<Reply> {
  const { answer, isOrdered } = await receive(visit.apis, receipt, key, known)
  if (!answer.ok && !isReused(answer)) throw new Error(`Stock refused a receipt: ${answer.refusal.detail}`)
  const { bookid, qty } = receipt
  const type = answer.ok ? 'received' : 'repeated'
  const ordered = isOrdered ? 'yes' : undefined
  if (!visit.isPartial) return visit.goTo(pathOf({ [type]: bookid, qty, ordered, receipt: key }))
  if (!answer.ok) return showReceive(visit, { type: 'repeated', stock: known })
  const stock = answer.body
  // Without a queue before, and with all copies available after, none was given to a reservation.
  const isOpen = known?.waiting === 0 && stock.qty === known.qty + qty
  const next = isOpen ? [] : await nextOf(visit, receipt)
  return showReceive(visit, { type: 'received', stock, qty, ordered: isOrdered, next, receipt: key })
}

/** The form again, with what was entered. */
async function faulty({ apis }: Visit, given: Record<string, string>, faults: string[]): Promise<Answer> {
  const purchase = given.purchaseid
    ? await apis.stock.read('getPurchase', { purchaseid: given.purchaseid })
    : undefined
  if (purchase)
    return {
      type: 'order',
      purchase,
      stock: await apis.stock.read('getStock', { bookid: purchase.bookid }),
      given,
      faults,
    }
  return { type: 'new', given: { bookid: '', qty: '1', ...given }, faults }
}

/** The reservations to which the last receipt gave copies. */
async function nextOf({ apis }: Visit, { bookid, qty }: Pick<Receipt, 'bookid' | 'qty'>) {
  const limit = Math.min(2 * qty + 10, movementsMax)
  const movements = await apis.stock.call('listMovements', { bookid, limit })
  return movements.ok ? servedBy(movements.body.items, qty) : []
}

/** The answer that an address asks for. Reading it has no effect. */
async function askedFor(visit: Visit): Promise<Answer> {
  const { apis } = visit
  const qty = Number(visit.query('qty')) || 1
  const ordered = visit.query('ordered') !== undefined
  for (const type of ['received', 'undone', 'kept', 'repeated'] as const) {
    const bookid = visit.query(type)
    const stock = bookid === undefined ? undefined : await apis.stock.read('getStock', { bookid })
    if (!stock) continue
    if (type === 'received')
      return {
        type,
        stock,
        qty,
        ordered,
        next: await nextOf(visit, { bookid: stock.bookid, qty }),
        receipt: visit.query('receipt'),
      }
    return { type, stock, qty, ordered }
  }
  const purchaseid = visit.query('order')
  const purchase = purchaseid === undefined ? undefined : await apis.stock.read('getPurchase', { purchaseid })
  if (purchase)
    return { type: 'order', purchase, stock: await apis.stock.read('getStock', { bookid: purchase.bookid }) }
  const scan = visit.query('scan')
  if (scan === undefined) return { type: 'nothing' }
  const found = await findScanned(apis, scan)
  return found.type === 'known' ? { type: 'nothing' } : answerTo(found, scan, qty)
}

type Other = Exclude<Awaited<ReturnType<typeof findScanned>>, { type: 'known' }>

function answerTo(found: Other, scanned: string, qty: number): Answer {
  switch (found.type) {
    case 'misread':
      return { type: 'misread', scanned }
    case 'several':
      return { ...found, qty }
    case 'unknown':
      return {
        type: 'new',
        given: { bookid: found.bookid, isbn: found.isbn, qty: String(qty) },
        faults: [],
      }
  }
}

const pathOf = (query: Record<string, string | number | undefined>): string => withQuery('/receive', query)
