-- The program that made a reservation, where one did: programs read their own alone. A table of its own, because an index on the other
-- would be built while nobody could reserve.
create table program_reservation (
  program       text not null,
  reservationid uuid not null,
  primary key (program, reservationid)
);
