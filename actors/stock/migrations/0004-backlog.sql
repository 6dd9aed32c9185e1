-- For metrics: the longest queues, and since when a queue is unfinished.
create index book_waiting on book (waiting desc) where waiting > 0;
alter table untended add column since timestamptz not null default clock_timestamp();
