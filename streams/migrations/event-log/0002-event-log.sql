-- Committed events, awaiting publication and kept afterwards. The sequence of a partition is dense.
create table event_log (
  partition   int not null,
  seq         bigint not null,
  id          text not null,
  type        text not null,
  subject     text not null,
  time        timestamptz not null,
  traceparent text,
  data        json not null,
  primary key (partition, seq)
);
-- A key's events, newest first.
create index event_log_subject on event_log (subject, seq desc);
