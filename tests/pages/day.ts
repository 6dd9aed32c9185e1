/** The library's day: a copy is fetched, handed over and taken back, by scanner and keyboard. */
import { expect, test } from 'vitest'
import { codeOf } from '../../web/code.ts'
import { answered, Counter, press, says, scan } from './counter.ts'
import type { Stage } from './stage.ts'

export function day(stage: () => Stage, javaScriptEnabled: boolean): void {
  const { newBook, reserve, becomes, open } = new Counter(stage)

  test(`with scripts: ${javaScriptEnabled}, a copy goes from its shelf to the customer and back, by scanner and Enter alone`, async () => {
    const { bookid, title, isbn } = await newBook('Momo')
    const ann = `ann-${bookid}`
    const reservation = await reserve(bookid, ann)
    const ben = await reserve(bookid, `ben-${bookid}`)
    const page = await open({ javaScriptEnabled })

    await page.goto('/shelf/pull')
    await scan(page, isbn, title)
    await press(page, `On the hold shelf: ${title}`)
    expect(await answered(page)).toContain(codeOf(reservation.reservationid))
    await becomes(reservation, 'Ready')

    await page.goto('/desk')
    await scan(page, ann, `${ann}: 1 copy to hand over`)
    await press(page, `Handed over: ${title}`)
    await becomes(reservation, 'Collected')

    await page.goto('/return')
    await scan(page, isbn, `${title}: ${ann} has it`)
    await press(page, `Returned: ${title}`)
    expect(await answered(page)).toContain(codeOf(ben.reservationid))
    await becomes(ben, 'Reserved')
    await page.getByRole('button', { name: 'On the shelf' }).click()
    await says(page, `On the hold shelf: ${title}`)
    await becomes(ben, 'Ready')
  })
}
