-- The caller who made the reservation, or canceled it, where callers are known: commands that are sent again name them too. No index
-- names the columns: changing them stays a HOT update.
alter table reservation
  add column authtype text,
  add column authid   text;
