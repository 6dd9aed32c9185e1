-- Copies that customers have at home, and reservations that wait: both 0 for a book without a queue and returns.
alter table book add column "out" bigint not null default 0, add column waiting bigint not null default 0;
