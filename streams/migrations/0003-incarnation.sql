-- Which life of this database a message belongs to (`incarnation.ts`), and how often a worker has renewed its leases.
create table incarnation (
  single boolean primary key default true check (single),
  -- Empty until a worker has met Redis for the first time.
  id     text not null default '',
  beats  bigint not null default 0
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
insert into incarnation default values;
