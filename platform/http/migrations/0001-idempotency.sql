-- The keys under which a request was made. The request's effect is found by the id of its key.
create table idempotency (
  key uuid primary key,
  fingerprint bytea not null,
  -- Under which the effect is known.
  id uuid not null,
  created_at timestamptz not null default clock_timestamp()
);
create index idempotency_created_at on idempotency using brin (created_at);
