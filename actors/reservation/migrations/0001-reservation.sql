create table reservation (
  reservationid uuid primary key,
  bookid        text not null,
  userid        text not null,
  -- Of the book.
  partition     smallint not null,
  status        text not null default 'Requested' check (status in ('Requested', 'Reserved', 'Failed', 'Canceled')),
  reason        text,
  traceparent   text,
  created_at    timestamptz not null default clock_timestamp(),
  updated_at    timestamptz not null default clock_timestamp()
) with (fillfactor = 60);
-- No index names status, reason or updated_at: deciding a reservation stays a HOT update.
create index reservation_user on reservation (userid, reservationid);
create index reservation_book on reservation (bookid, reservationid);

-- Commands that stock has not answered yet: a narrow row per reservation, deleted once stock has answered. The
-- command is built from the reservation.
create table outbox (
  partition     smallint not null,
  reservationid uuid not null,
  -- When the command is sent again, and how often it was.
  resend_at     timestamptz not null,
  resends       int not null default 0,
  primary key (partition, reservationid)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The book list: a projection of stock, never newer than stock's events and never going back.
create table book (
  bookid     text primary key,
  title      text not null,
  author     text not null,
  isbn       text not null,
  available  bigint not null,
  held       bigint not null,
  version    bigint not null,
  updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
