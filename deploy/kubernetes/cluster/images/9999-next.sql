-- Adds first, as every migration must: the version before goes on beside it.
alter table book add column next_version integer not null default 0;
