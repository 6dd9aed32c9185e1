/** Postgres refuses what some events change, so that these events become dead letters. Then an operator redrives them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { World } from './world.ts'

/** Consumers of stock's events, and what an event about a reservation writes there. */
const writes = {
  reservation: "before update on reservation.reservation for each row when (new.status <> 'Canceled')",
  notifier: 'before insert on notifier.notice for each row when (new.reservationid is not null)',
} as const
export type Consumer = keyof typeof writes
export const consumers = Object.keys(writes) as Consumer[]

const reason = 'refused by the campaign'
const lookEveryMs = 300
/** How long no letter has come once all are redriven. */
const quietMs = 2_000

/** So many kinds of reservations are distinguished, by their ids. */
export const kinds = 6

export async function prepareRefusals({ sql }: World): Promise<void> {
  await sql.unsafe(`
    create schema if not exists faults;
    create table faults.refused (service text, kind int);
    create function faults.refuse() returns trigger language plpgsql security definer as $$ begin
      if exists (
        select from faults.refused r
        where r.service = tg_argv[0] and r.kind = get_byte(uuid_send(new.reservationid), 15) % ${kinds}
      ) then
        raise exception '${reason}' using errcode = 'check_violation';
      end if;
      return new;
    end $$;`)
  for (const service of consumers)
    await sql.unsafe(`create trigger refuse ${writes[service]} execute function faults.refuse('${service}')`)
}

/** Refuses the events of reservations of a kind for a while. */
export async function refuse({ sql }: World, service: Consumer, kind: number, forMs: number): Promise<void> {
  await sql`insert into faults.refused values (${service}, ${kind})`
  await sleep(forMs)
  await sql`delete from faults.refused`
}

/** @returns how many letters there were. */
export async function redrive({ sql }: World): Promise<number> {
  const letters = await Promise.all(
    consumers.map(
      (service) => sql`
        update ${sql(service)}.dead_letter set redrive = true where reason like ${`%${reason}%`} and not redrive
        returning position`,
    ),
  )
  return letters.flat().length
}

/** Redrives until no letter has come for a while. @returns how many there were. */
export async function redriveAll(world: World): Promise<number> {
  let count = 0
  for (let since = Date.now(); Date.now() - since < quietMs; ) {
    const found = await redrive(world)
    count += found
    if (found > 0) since = Date.now()
    await sleep(lookEveryMs)
  }
  return count
}
