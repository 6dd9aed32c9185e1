-- Reservations that were accepted together, until they are due to be looked at: those that are undecided by then go into
-- the outbox. In a rush nearly all are decided before, and have cost it no row.
create table lot (
  reservationids uuid[] not null,
  due_at         timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
