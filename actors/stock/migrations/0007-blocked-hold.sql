-- Reservations whose copies are not handed over, because their customer is blocked. It has no name of a customer.
create table blocked_hold (
  reservationid uuid primary key,
  -- Null: until the reservation service ends the block.
  until         timestamptz
);
