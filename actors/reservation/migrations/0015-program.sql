-- The program that made a reservation, where one did: a program reads only its own reservations. A table of its own, because no
-- customer could reserve while an index on the other is built.
create table program_reservation (
  program       text not null,
  reservationid uuid not null,
  primary key (program, reservationid)
);
