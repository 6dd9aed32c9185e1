/** The HTTPie calls from the README of this system's predecessor. */
import { expect } from 'vitest'
import { eventually } from '../doubles/eventually.ts'
import { type Http, http as httpie } from '../doubles/httpie.ts'
import type { System } from './system.ts'

export const reservedNotice = '##### 예약 완료 되었습니다 #####'
export const canceledNotice = '##### 예약 취소 되었습니다 #####'

/**
 * Makes every call in order and checks its response. Cancels after the notice of the reservation, where the notifier's console is
 * known: a notice that is no longer true would not be sent.
 * @param http how it sends them; with HTTPie by default.
 */
export async function makeOriginalCalls(
  system: Pick<System, 'reservation' | 'stock'> & Partial<Pick<System, 'processes'>>,
  http: Http = httpie,
): Promise<void> {
  const { reservation, stock, processes } = system
  const showsStatus = (id: string, status: string) =>
    eventually(async () => (await http('GET', reservation, `/reservations/${id}`)).body.status === status, {
      message: `Reservation ${id} never became ${status}`,
    })

  // Three copies of book 1 arrive; HTTPie sends the quantity as a string.
  const arrival = await http('POST', stock, '/stocks', 'bookid=1', 'qty=3')
  expect(arrival).toMatchObject({ status: 201, body: { bookid: '1', qty: 3 } })

  const success = await http('POST', reservation, '/reservations', 'bookid=1', 'userid=test1')
  expect(success).toMatchObject({ status: 201, body: { bookid: '1', userid: 'test1' } })
  const id = String(success.body.reservationid)
  await showsStatus(id, 'Reserved')
  expect(await http('GET', stock, '/stocks/1')).toMatchObject({ status: 200, body: { qty: 2, held: 1 } })

  // Book 2 is known, but has no copy.
  expect(await http('POST', stock, '/stocks', 'bookid=2', 'qty=0')).toMatchObject({
    status: 201,
    body: { qty: 0 },
  })
  const failure = await http('POST', reservation, '/reservations', 'userid=user', 'bookid=2')
  expect(failure.status).toBe(201)
  await showsStatus(String(failure.body.reservationid), 'Failed')

  if (processes) await noticesShown({ processes }, reservedNotice, 'test1')
  const cancellation = await http('PATCH', reservation, `/reservations/${id}`, 'status=Canceled')
  expect(cancellation).toMatchObject({ status: 200, body: { reservationid: id, status: 'Canceled' } })
  await eventually(async () => (await http('GET', stock, '/stocks/1')).body.qty === 3, {
    message: 'The canceled copy did not come back',
  })
}

/** Waits until the notifier's console shows a notice of this outcome. @returns how many it has shown so far. */
export async function noticesShown(
  system: Pick<System, 'processes'>,
  line: string,
  userid: string,
): Promise<number> {
  const lines = () =>
    system.processes.notifier.flatMap((process) =>
      process.logs.filter((log) => log.msg === line && log.userid === userid),
    )
  await eventually(() => lines().length > 0, { message: `${userid} got no notice: ${line}` })
  return lines().length
}
