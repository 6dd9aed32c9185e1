/** Staff at the counter: books with their copies, reservations in every state, and a scanner. */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { waitFor } from '../harness/acts.ts'
import type { Stage, WindowOptions } from './stage.ts'

const jun = { userid: 'jun', role: 'stock-manager' }

export type Reservation = { reservationid: string; status: string; pickupBy: string | null }

/** Books are numbered across all tests of the system. */
let books = 0

export class Counter {
  readonly #stage: () => Stage

  constructor(stage: () => Stage) {
    this.#stage = stage
  }

  get system() {
    return this.#stage().system
  }

  open = (options: WindowOptions = {}): Promise<Page> => this.#stage().window({ as: jun, ...options })

  /** A book with one copy, unless more are asked for. */
  newBook = async (title: string, qty = 1) => {
    const bookid = `staff-${++books}`
    const isbn = isbnOf(books)
    const book = { bookid, qty, title, isbn, author: 'A. Author' }
    expect((await this.system.stock.post('/stocks', book)).status).toBe(201)
    return { bookid, title, isbn }
  }

  reserve = async (bookid: string, userid: string): Promise<Reservation> => {
    const headers = waitFor(10)
    const { body } = await this.system.reservation.post<Reservation>(
      '/reservations',
      { bookid, userid },
      { headers },
    )
    return body
  }

  /** Waits until the reservation service has learned of it. */
  becomes = ({ reservationid }: Reservation, status: string): Promise<Reservation> =>
    eventually(
      async () => {
        const { body } = await this.system.reservation.get<Reservation>(`/reservations/${reservationid}`)
        return body.status === status && body
      },
      { timeoutMs: 20_000, message: `${reservationid} did not become ${status}` },
    )

  change = ({ reservationid }: Reservation, json: object) =>
    this.system.stock.patch(`/holds/${reservationid}`, json)

  ready = async (bookid: string, userid: string): Promise<Reservation> => {
    const reservation = await this.reserve(bookid, userid)
    await this.change(reservation, { status: 'Ready' })
    return await this.becomes(reservation, 'Ready')
  }
}

/** A scanner types into the field that has the focus, and presses Enter. */
export async function scan(page: Page, text: string, expected: string): Promise<void> {
  await expect.poll(() => isFocused(page, '#scanned'), { message: 'the field has the focus' }).toBe(true)
  expect(await page.locator('#scanned').inputValue()).toBe('')
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await says(page, expected)
}

/** Enter in the empty field does the only thing that there is to do. */
export async function press(page: Page, expected: string): Promise<void> {
  await expect.poll(() => isFocused(page, '#scanned'), { message: 'the field has the focus' }).toBe(true)
  await page.keyboard.press('Enter')
  await says(page, expected)
}

export const isFocused = (page: Page, selector: string) =>
  page
    .locator(`${selector}:focus`)
    .count()
    .then((n) => n === 1)

export const answered = (page: Page) => page.locator('#answer').textContent()

export const says = (page: Page, text: string) =>
  page.locator('[role=status]').filter({ hasText: text }).waitFor()

/** An ISBN for a number. */
function isbnOf(n: number): string {
  const start = `978${String(n).padStart(9, '0')}`
  const sum = [...start].reduce((sum, it, i) => sum + Number(it) * (i % 2 === 0 ? 1 : 3), 0)
  return start + ((10 - (sum % 10)) % 10)
}
