create table book (
  bookid    text primary key,
  title     text not null default '',
  author    text not null default '',
  isbn      text not null default '',
  available bigint not null default 0 check (available >= 0),
  held      bigint not null default 0 check (held >= 0),
  version   bigint not null default 0,
  -- False until the first receipt: a customer asked for a book that stock has never had.
  received  boolean not null default false,
  -- How many were refused since the last purchase or arrival, and whether the purchaser was asked.
  shortage  bigint not null default 0 check (shortage >= 0),
  requested_at timestamptz
) with (fillfactor = 50);
create index book_requested on book (bookid) where requested_at is not null;

-- A copy set aside for a reservation, or the memory that none is.
create table hold (
  reservationid uuid primary key,
  bookid        text not null,
  userid        text not null,
  status        text not null check (status in ('held', 'refused', 'released')),
  reason        text
);

-- Commands handled, so that a command that is sent again has one effect.
create table command (
  commandid uuid primary key,
  bookid    text not null,
  at        timestamptz not null default clock_timestamp()
);

create table purchase (
  purchaseid  uuid primary key,
  bookid      text not null,
  qty         bigint not null check (qty > 0),
  status      text not null check (status in ('ordered', 'received')),
  ordered_at  timestamptz not null default clock_timestamp(),
  received_at timestamptz
);
create index purchase_book on purchase (bookid);
