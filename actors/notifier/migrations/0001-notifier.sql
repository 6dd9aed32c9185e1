-- A customer's addresses and preferences.
create table customer (
  userid     text primary key,
  email      text,
  webhook    text,
  locale     text not null default 'ko',
  updated_at timestamptz not null default clock_timestamp()
);

-- One message to one person over one channel: the log of notices. The noticeid is derived from what the notice is about,
-- so the same outcome, repeated by stock, finds its notice already here.
create table notice (
  noticeid      uuid primary key,
  -- The order in which notices arose. Gaps mean nothing.
  seq           bigint generated always as identity,
  kind          text not null check (kind in ('reserved', 'failed', 'cancelled', 'purchase-requested')),
  channel       text not null check (channel in ('console', 'email', 'webhook', 'chat')),
  bookid        text not null,
  userid        text,
  reservationid uuid,
  reason        text,
  shortage      bigint,
  traceparent   text,
  status        text not null check (status in ('pending', 'sent', 'failed', 'superseded')),
  attempts      int not null default 0,
  last_error    text,
  created_at    timestamptz not null default clock_timestamp(),
  sent_at       timestamptz,
  superseded_at timestamptz
) with (fillfactor = 50);
-- No index and no index predicate names status, attempts, last_error or sent_at: marking a notice stays a HOT update.
create unique index notice_seq on notice (seq);
create index notice_userid on notice (userid, seq);
create index notice_superseded on notice (seq) where superseded_at is not null;

-- Unsent notices, one narrow row each, deleted once sent. A notice that was given up is due at infinity.
create table undelivered (
  seq      bigint primary key,
  channel  text not null,
  -- When it may be claimed. A claim moves it into the future, so a notice whose dispatcher died comes back.
  due_at   timestamptz not null,
  -- Rises with each claim, and so distinguishes claims.
  attempts int not null default 0
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index undelivered_due on undelivered (channel, due_at);
create index undelivered_given_up on undelivered (seq) where due_at = 'infinity';
