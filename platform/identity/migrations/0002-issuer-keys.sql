-- The public keys of each issuer as this service read them last (`key-store.ts`). They are no secret.
create table issuer_keys (
  url     text primary key,
  jwks    text not null,
  read_at timestamptz not null default clock_timestamp()
);
