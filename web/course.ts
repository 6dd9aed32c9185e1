/** The course of a reservation. The service keeps its present state alone; what happened before is in the notices about it. */
import type { Apis } from './apis/apis.ts'
import type { Notice } from './apis/notifier.ts'
import type { Reservation } from './apis/reservation.ts'

/** @param name of the event: a kind of notice, `requested`, or the present status. */
export type Step = { at: string; name: string }

const perPage = 200
/** A customer's newest notices, in which those of the reservation are looked for. */
const pagesMax = 3

/** @returns the newest first. @throws {ApiDown} */
export async function courseOf({ notifier }: Apis, it: Reservation): Promise<Step[]> {
  const { reservationid, userid, createdAt, updatedAt, status } = it
  const events: Step[] = []
  let after: string | undefined
  for (let page = 0; page < pagesMax; page++) {
    const answer = await notifier.call('listNotices', { userid, limit: perPage, after })
    if (!answer.ok) break
    const { items } = answer.body
    events.push(...items.filter((notice) => isAbout(notice, reservationid)).map(toEvent))
    after = answer.body.after
    if (after === undefined || items.at(-1)!.createdAt < createdAt) break
  }
  const reported = events.some(({ name }) => ends[name] === status)
  const now = reported || status === 'Requested' ? [] : [{ at: updatedAt, name: status }]
  return [...now, ...events, { at: createdAt, name: 'requested' }]
}

/** Every event has one on the console, whatever other channels its customer has. */
const isAbout = (notice: Notice, reservationid: string): boolean =>
  notice.reservationid === reservationid && notice.channel === 'console'

const toEvent = ({ createdAt, kind }: Notice): Step => ({ at: createdAt, name: kind })

/** The status after a notice of this kind. */
const ends: Record<string, string> = {
  reserved: 'Reserved',
  failed: 'Failed',
  cancelled: 'Canceled',
  queued: 'Waiting',
  ready: 'Ready',
  expired: 'Expired',
  'handed-over': 'Collected',
  'taken-back': 'Waiting',
}
