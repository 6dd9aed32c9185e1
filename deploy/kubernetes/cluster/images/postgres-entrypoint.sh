#!/bin/sh
# Like the official image, as far as the manifests need it: the first start creates the database, and arguments are options of the server.
set -eu
mkdir -p "$PGDATA"
chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=$(mktemp)
  printf %s "$POSTGRES_PASSWORD" >"$password"
  initdb --username=postgres --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 "$PGDATA"
  rm "$password"
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  # Without TCP, so that no probe finds it before it is ready.
  pg_ctl --wait --options="-c listen_addresses=''" start
  createdb --username=postgres "$POSTGRES_DB"
  pg_ctl --wait stop
fi
exec postgres "$@"
