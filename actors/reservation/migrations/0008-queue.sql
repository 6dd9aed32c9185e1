-- The queues of books: a projection of stock's events. A place is never renumbered; a position is counted from it.
create table queue (
  bookid        text not null,
  -- In the order of arrival, of reservations that wait.
  place         bigint not null,
  reservationid uuid not null,
  primary key (bookid, place)
) with (autovacuum_vacuum_scale_factor = 0.02);

-- How many of each 256 places of a book's queue wait: a position is the sum of a few hundred rows, however many wait.
create table queue_tally (
  bookid  text not null,
  -- place >> 8
  chunk   bigint not null,
  waiting int not null,
  primary key (bookid, chunk)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
