-- Rules of a book, its queue, and its copies that were handed over. Without rules, all of these keep their defaults.
alter table book
  add column out        bigint not null default 0 check (out >= 0),
  add column waiting    bigint not null default 0 check (waiting >= 0),
  add column last_place bigint not null default 0,
  add column on_order   bigint not null default 0 check (on_order >= 0),
  add column rules      jsonb;

-- Not validated: rows from before have one of the first three.
alter table hold drop constraint hold_status_check;
alter table hold add constraint hold_status_check
  check (status in ('held', 'refused', 'released', 'waiting', 'ready', 'collected', 'returned', 'expired')) not valid;

-- A narrow row per active reservation of a book with rules, deleted when it ends.
create table claim (
  reservationid uuid primary key,
  bookid        text not null,
  partition     smallint not null,
  userid        text not null,
  -- In the queue, set aside, on the hold shelf, or lent.
  kind          text not null check (kind in ('waiting', 'held', 'ready', 'out')),
  place         bigint,
  -- The number of the copy that it has or waits for: above 1 after a copy was taken back.
  turn          int not null default 1,
  pickup_by     timestamptz,
  lapses_at     timestamptz,
  -- When the kind last changed.
  since         timestamptz not null,
  -- When the clock last sent the message that ends it.
  asked_at      timestamptz
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index claim_queue on claim (bookid, place) where kind = 'waiting';
create index claim_held  on claim (bookid, place) where kind in ('held', 'ready');
create index claim_user  on claim (bookid, userid);
create index claim_due   on claim (pickup_by) where kind = 'ready' and pickup_by is not null;
create index claim_lapse on claim (lapses_at) where kind = 'waiting' and lapses_at is not null;
create index claim_tasks on claim (kind, since, reservationid) where kind in ('held', 'ready');

-- Books whose queue one decision could not finish serving.
create table untended (
  bookid    text primary key,
  partition smallint not null,
  asked_at  timestamptz
);

-- Why a command of staff had no effect.
alter table command add column refused text;
