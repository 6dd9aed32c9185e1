-- The caller of the request that caused an event, where callers are known (CloudEvents' auth context).
create or replace view event_log as
select b.partition, b.first + e.n - 1 as seq, e.event->>'id' as id, e.event->>'type' as type,
  e.event->>'subject' as subject, b.time, e.event->>'traceparent' as traceparent, e.event->'data' as data,
  e.event->>'authtype' as authtype, e.event->>'authid' as authid
from event_batch b, json_array_elements(b.events::json) with ordinality as e (event, n);
