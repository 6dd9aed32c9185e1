-- Reservations whose customer was erased, until stock has been sent each of them several times (`unanswered.ts`). It has no name of a customer.
create table forgotten (
  reservationid uuid primary key,
  bookid        text not null,
  sends         int not null default 0,
  send_at       timestamptz not null default clock_timestamp()
) with (fillfactor = 70);
create index forgotten_send on forgotten (send_at);
