-- Whether on_order has all that was ordered: it counts from the first change by a version that has it, and until
-- then it is counted from purchases.
alter table book add column orders_counted boolean not null default false;
