-- What staff, operators and programs did that is no event, and which data of a person staff read (`audit.ts`).
create table audit (
  id       bigint generated always as identity primary key,
  at       timestamptz not null default clock_timestamp(),
  authtype text not null,
  authid   text not null,
  roles    text not null,
  address  text not null,
  -- The name of the call in the OpenAPI document.
  action   text not null,
  -- The customer, notice or other thing that it is about.
  subject  text not null,
  detail   text
);
create index audit_at on audit using brin (at);
