-- In a transaction of its own: it reads the table without a lock that requests or stock's events would wait for.
alter table reservation validate constraint reservation_status_check;
