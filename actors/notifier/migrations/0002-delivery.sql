-- Customers choose how they are told: null, as the operators say.
alter table customer add column phone text, add column channels text[];

-- The person's notice may move from channel to channel; its id is the same. What `not valid` leaves unchecked are rows
-- that hold what was allowed before, which still is.
alter table notice
  alter column bookid drop not null,
  -- What only some kinds have.
  add column details jsonb,
  -- When an operator had it tried again: from then on it has as long as a new one.
  add column retried_at timestamptz,
  drop constraint notice_kind_check,
  drop constraint notice_channel_check,
  drop constraint notice_status_check,
  add constraint notice_kind_check
    check (kind in ('reserved', 'failed', 'cancelled', 'purchase-requested', 'delivery-failed', 'alert')) not valid,
  add constraint notice_channel_check
    check (channel in ('console', 'email', 'webhook', 'sms', 'kakao', 'slack', 'discord', 'teams', 'chat')) not valid,
  add constraint notice_status_check
    check (status in ('pending', 'sent', 'failed', 'superseded', 'suppressed')) not valid;
comment on column notice.superseded_at is 'when it was taken out of the queue untold: superseded, or suppressed';

alter table undelivered
  -- What is added to it as long as nobody has tried to send it: further requests for a book, further failures of a channel.
  add column gathers text,
  -- The channels that refused it for good.
  add column refused text[];
create index undelivered_gathers on undelivered (gathers) where gathers is not null;

-- What came of each attempt to tell. The console needs none: it cannot refuse.
create table attempt (
  seq     bigint not null,
  -- As the claim counted it, so that what is marked twice is noted once.
  attempt int not null,
  at      timestamptz not null default clock_timestamp(),
  channel text not null,
  outcome text not null check (outcome in ('sent', 'retry', 'failed')),
  error   text,
  -- What the receiver said.
  answer  text,
  primary key (seq, attempt)
);

-- What operators were told last of each alert.
create table alert (
  fingerprint text primary key,
  status      text not null check (status in ('firing', 'resolved')),
  starts_at   timestamptz not null,
  told_at     timestamptz not null default clock_timestamp()
);
