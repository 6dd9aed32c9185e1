-- The events of one commit and partition are one row: the log is written and published batch by batch.
create table event_batch (
  partition int not null,
  -- Sequences of its first and its last event: they are dense.
  first     bigint not null,
  seq       bigint not null,
  time      timestamptz not null,
  -- A JSON array: of each event its id, type, subject, data, and traceparent if it has one.
  events    text not null,
  primary key (partition, seq)
);

-- Which batches have events about a subject.
create table event_subject (
  subject   text not null,
  seq       bigint not null,
  partition int not null,
  primary key (subject, seq)
);

lock table event_log;
insert into event_batch (partition, first, seq, time, events)
select partition, seq, seq, time, '[' || case
    when traceparent is null then json_build_object('id', id, 'type', type, 'subject', subject, 'data', data)
    else json_build_object('id', id, 'type', type, 'subject', subject, 'traceparent', traceparent, 'data', data)
  end || ']'
from event_log;
insert into event_subject (subject, seq, partition) select subject, seq, partition from event_log;
drop table event_log;

-- The log event by event: for people, and for workers of the version before, which write and read it beside ours while an
-- update is rolled out.
create view event_log as
select b.partition, b.first + e.n - 1 as seq, e.event->>'id' as id, e.event->>'type' as type,
  e.event->>'subject' as subject, b.time, e.event->>'traceparent' as traceparent, e.event->'data' as data
from event_batch b, json_array_elements(b.events::json) with ordinality as e (event, n);

create function log_event() returns trigger language plpgsql as $$ begin
  insert into event_batch (partition, first, seq, time, events)
  values (new.partition, new.seq, new.seq, new.time, '[' || case
    when new.traceparent is null then
      json_build_object('id', new.id, 'type', new.type, 'subject', new.subject, 'data', new.data)
    else json_build_object('id', new.id, 'type', new.type, 'subject', new.subject,
      'traceparent', new.traceparent, 'data', new.data)
  end || ']');
  insert into event_subject (subject, seq, partition) values (new.subject, new.seq, new.partition);
  return new;
end $$;
create trigger log_event instead of insert on event_log for each row execute function log_event();

-- Pruning is left to workers of this version.
create function prune_nothing() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger prune_nothing instead of delete on event_log for each row execute function prune_nothing();
