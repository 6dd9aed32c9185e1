-- The record of a customer while reservations are limited (`ACTIVE_MAX`): the active ones, by id, and
-- whether new ones are refused. One row, so that the statement that accepts a reservation can lock it and judge by it.
create table standing (
  userid        text primary key,
  active        uuid[] not null default '{}',
  -- A customer is blocked while there is a reason and this time, if there is one, has not come.
  block_reason  text,
  blocked_until timestamptz
) with (fillfactor = 50);

-- Of a reservation that the limit refused: how many were active, and how many were allowed.
alter table reservation add column active int, add column active_max int;
