-- The facts that operators search by. Null in letters from before, and where the message names none.
alter table dead_letter
  add column type    text,
  add column subject text;

-- Lists, the oldest first.
create index dead_letter_at on dead_letter (at, partition, position);
