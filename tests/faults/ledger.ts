/**
 * A ledger of the commits that change reservations and blocks of customers, written by triggers. They run as their owner, because the
 * services may write to their own schemas only.
 *
 * A trigger writes its line when the statement ends. Statements that accept or end reservations have locked the customer's standing
 * by then, so the lines of a customer are in the order of the commits. If a service did not lock, the lines of two commits that saw
 * the same standing would follow each other, and show what no commit alone does.
 */
import type { Sql } from 'postgres'

export type LedgerRow = {
  /** The transaction. */
  tx: string
  userid: string
  /** Null: the customer was blocked, or their block has ended. */
  reservationid: string | null
  isNew: boolean
  status: string | null
  reason: string | null
  /** How many reservations were active, according to the refusal. */
  active: number | null
  blocked: boolean | null
}

export async function beginLedger(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create schema faults;
    create table faults.ledger (
      line bigserial primary key, tx xid8 not null default pg_current_xact_id(), userid text not null,
      reservationid uuid, is_new boolean not null default false, status text, reason text, active int, blocked boolean
    );
    create function faults.note_reservation() returns trigger language plpgsql security definer as $$ begin
      insert into faults.ledger (userid, reservationid, is_new, status, reason, active)
      values (new.userid, new.reservationid, tg_op = 'INSERT', new.status, new.reason, new.active);
      return null;
    end $$;
    create function faults.note_block() returns trigger language plpgsql security definer as $$ begin
      insert into faults.ledger (userid, blocked) values (new.userid, new.block_reason is not null);
      return null;
    end $$;
    create trigger ledger after insert or update of status on reservation.reservation
      for each row execute function faults.note_reservation();
    create trigger ledger after insert or update of block_reason on reservation.standing
      for each row execute function faults.note_block();`)
}

export const readLedger = (sql: Sql): Promise<LedgerRow[]> => sql<LedgerRow[]>`
  select tx::text, userid, reservationid::text, is_new as "isNew", status, reason, active, blocked
  from faults.ledger order by line`
