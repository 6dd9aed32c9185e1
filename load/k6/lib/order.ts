/** The order of service of a book. Pure. */
import type { Movement } from './staff.ts'

/** @returns how many reservations were served while one with a lower place waited. @param movements all of a book, the oldest first. */
export function countOvertaken(movements: readonly Movement[]): number {
  const waits = new Set<number>()
  let overtaken = 0
  for (const { type, data } of movements) {
    const { place } = data
    if (place === undefined) continue
    if (type === 'ReservationQueued' || type === 'CopyTakenBack') waits.add(place)
    else {
      waits.delete(place)
      if (type === 'CopyReserved' && data.first && [...waits].some((it) => it < place)) overtaken++
    }
  }
  return overtaken
}
