-- The records of a service about the partitions that it consumes.

create table mailbox (
  partition   int primary key,
  -- Offset: the entry id up to which the partition's messages are committed, and how many they were.
  position    text not null default '0-0',
  processed   bigint not null default 0,
  -- Sequence of the last event committed, and the one up to which every consumer is done.
  seq         bigint not null default 0,
  trimmed     bigint not null default 0,
  -- Lease: the worker that owns the partition, and until when. The epoch rises with each change of owner.
  epoch       bigint not null default 0,
  owner       text,
  lease_until timestamptz not null default '-infinity'
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

insert into mailbox (partition)
select generate_series(0, current_setting('bookreservation.partitions')::int - 1);

-- Workers alive, also those that own nothing: the partitions are shared among them.
create table worker (
  id          text primary key,
  alive_until timestamptz not null
);

-- Messages set aside because no retry can make them work.
create table dead_letter (
  partition int not null references mailbox,
  position  text not null,
  reason    text not null,
  -- The entry as it was read: field, value, field, value.
  fields    text[] not null,
  redrive   boolean not null default false,
  at        timestamptz not null default clock_timestamp(),
  primary key (partition, position)
);
