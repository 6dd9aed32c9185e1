-- The customer's choice of channels; null for the operators' choice.
alter table customer add column phone text, add column channels text[];

-- The person's notice may move from channel to channel; its id is the same. `not valid` leaves older rows unchecked: their
-- values were allowed before, and still are.
alter table notice
  alter column bookid drop not null,
  -- Details that only some kinds have.
  add column details jsonb,
  -- When an operator retried it: from then on it has as long as a new notice.
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
  -- The key under which further events are added until the first attempt: requests for a book, failures of a channel.
  add column gathers text,
  -- The channels that refused it for good.
  add column refused text[];
create index undelivered_gathers on undelivered (gathers) where gathers is not null;

-- The outcome of each attempt to send. The console has none: it cannot refuse.
create table attempt (
  seq     bigint not null,
  -- As the claim counted it, so that an attempt that is marked twice is noted once.
  attempt int not null,
  at      timestamptz not null default clock_timestamp(),
  channel text not null,
  outcome text not null check (outcome in ('sent', 'retry', 'failed')),
  error   text,
  -- The answer of the receiver.
  answer  text,
  primary key (seq, attempt)
);

-- The last notice to operators about each alert.
create table alert (
  fingerprint text primary key,
  status      text not null check (status in ('firing', 'resolved')),
  starts_at   timestamptz not null,
  told_at     timestamptz not null default clock_timestamp()
);
