-- The sequence number of the last event of stock that the reservation service has heard of this reservation. A dead letter that is
-- redriven after it changes nothing. Null for a book without rules, whose events may come in any order. No index names it: changing it stays
-- a HOT update.
alter table reservation add column heard bigint;
