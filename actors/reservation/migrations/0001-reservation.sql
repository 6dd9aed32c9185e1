create table reservation (
  reservationid uuid primary key,
  bookid        text not null,
  userid        text not null,
  -- Of the book: re-sending goes partition by partition.
  partition     smallint not null,
  status        text not null default 'Requested' check (status in ('Requested', 'Reserved', 'Failed', 'Canceled')),
  reason        text,
  -- True once stock has answered the last command about it. Until then the row is its own outbox.
  confirmed     boolean not null default false,
  traceparent   text,
  created_at    timestamptz not null default clock_timestamp(),
  updated_at    timestamptz not null default clock_timestamp(),
  -- Re-sending the command to stock: when next, and how often it was sent again.
  resend_at     timestamptz not null,
  resends       int not null default 0
) with (fillfactor = 60);
create index reservation_user on reservation (userid, reservationid);
create index reservation_book on reservation (bookid, reservationid);
create index reservation_unconfirmed on reservation (partition, resend_at) where not confirmed;

-- The book list: a projection of stock, never newer than what stock told and never going back.
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
