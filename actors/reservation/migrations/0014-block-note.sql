-- Active reservations of customers who were blocked or unblocked, until stock has been sent each of them several times (`unanswered.ts`).
create table block_note (
  reservationid uuid primary key,
  sends         int not null default 0,
  send_at       timestamptz not null default clock_timestamp()
) with (fillfactor = 70);
create index block_note_send on block_note (send_at);

-- Customers who are blocked already.
insert into block_note (reservationid) select unnest(active) from standing where block_reason is not null on conflict do nothing;
