-- The statuses of books with a queue and a hold shelf. Not validated here, so that the lock is held for a moment only: each row
-- satisfied a narrower check.
alter table reservation drop constraint reservation_status_check;
alter table reservation add constraint reservation_status_check check (status in (
  'Requested', 'Waiting', 'Reserved', 'Ready', 'Collected', 'Returned', 'Failed', 'Canceled', 'Expired'
)) not valid;

-- All are null for a book without a queue and a hold shelf. No index names them: changing them stays a HOT update.
alter table reservation
  -- When the hold of a copy on the hold shelf expires; null if it does not.
  add column pickup_by timestamptz,
  -- In the queue of the book, for good.
  add column place     bigint,
  -- The customer's reservation of the same book, because of which this one failed.
  add column other     uuid,
  -- Of a cancellation.
  add column cause     text,
  add column note      text,
  -- False if the customer wants a copy now or not at all.
  add column wait      boolean;
