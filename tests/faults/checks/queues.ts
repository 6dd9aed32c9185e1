/** Books with rules: queues are served in order, holds end when they may, and every part of the system has the same queues. */
import { answerOf } from '../history.ts'
import { isActive } from '../replay/lives.ts'
import { type Check, differences, type Facts } from './check.ts'

export const queues: Check[] = [
  { name: 'no copy is idle while a reservation waits', violations: ({ replay }) => replay.idle },
  { name: 'places are served in order', violations: ({ replay }) => replay.outOfOrder },
  { name: 'newcomers wait behind the queue', violations: ({ replay }) => replay.overtaken },
  { name: 'places are given once, and kept', violations: ({ replay }) => replay.misplaced },
  { name: 'one reservation per customer and book', violations: ({ replay }) => replay.doubled },
  { name: 'no hold expires early', violations: ({ replay }) => replay.premature },
  { name: 'a copy is handed over once, to its customer', violations: ({ replay }) => replay.misdelivered },
  { name: 'claims are the active holds', violations: claimsAreActiveHolds },
  { name: 'the queues match the events', violations: queuesMatch },
  { name: 'positions are within the queue', violations: positionsFit },
]

/**
 * A claim for each hold of a book with rules that is active, or whose copy comes back; and no other. One from before its book had
 * rules gets its claim afterwards (`unclaimed.ts`).
 */
function claimsAreActiveHolds({ evidence, replay }: Facts): string[] {
  const wanted = new Map<string, unknown>()
  for (const [reservationid, life] of replay.lives) {
    const { state, ruled, place = null, turn } = life
    const { rules } = replay.shelves.get(life.bookid)!
    if (!ruled && !rules) continue
    if (isActive(life)) wanted.set(reservationid, { kind: state, place, turn })
    else if (ruled && state === 'collected' && rules!.lend) wanted.set(reservationid, { kind: 'out' })
  }
  const found = new Map<string, unknown>(
    evidence.claims.map(({ reservationid, kind, place, turn }) => [
      reservationid,
      kind === 'out' ? { kind } : { kind, place, turn },
    ]),
  )
  return differences(wanted, found)
}

/** Stock's count, its claims, and the places and the tally of the reservation service. */
function queuesMatch({ evidence, replay }: Facts): string[] {
  const { claims, queue, tally } = evidence
  const placesOf = (rows: { bookid: string; place: number | null; reservationid: string }[]) =>
    new Map(rows.map((it) => [`${it.bookid} ${it.place}`, it.reservationid]))
  const waiting = [...replay.shelves].flatMap(([bookid, shelf]) =>
    [...shelf.queue].map(([place, reservationid]) => ({ bookid, place, reservationid })),
  )
  const chunkOf = ({ bookid, place }: { bookid: string; place: number }) =>
    `${bookid} ${Math.floor(place / 256)}`
  const chunks = [...Map.groupBy(waiting, chunkOf)].map(([chunk, of]) => [chunk, of.length] as const)
  return [
    ...differences(placesOf(waiting), placesOf(claims.filter(({ kind }) => kind === 'waiting'))).map(
      (it) => `claims, ${it}`,
    ),
    ...differences(placesOf(waiting), placesOf(queue)).map((it) => `queue, ${it}`),
    ...differences(
      new Map(chunks),
      new Map(tally.map((it) => [`${it.bookid} ${it.chunk}`, it.waiting] as const)),
    ).map((it) => `tally, ${it}`),
  ]
}

type Positioned = { reservationid: string; position: number | null; waiting: number | null }

function positionsFit({ calls }: Facts): string[] {
  return calls.flatMap((call) => {
    const { position, waiting } = answerOf<Partial<Positioned>>(call) ?? {}
    if (typeof position !== 'number') return []
    return typeof waiting === 'number' && position >= 1 && position <= waiting
      ? []
      : [`call ${call.id}: position ${position} of ${waiting}`]
  })
}
