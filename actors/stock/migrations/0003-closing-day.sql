-- Days on which the library is closed, besides its closed weekdays.
create table closing_day (
  date date primary key,
  note text not null default ''
);
