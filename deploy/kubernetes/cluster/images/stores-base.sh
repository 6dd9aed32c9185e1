#!/bin/sh
# Makes the base of the images of the stores from Debian's packages: stores-base.sh IMAGE. Needs root, debootstrap and podman.
set -eu
image=$1
# Debian testing, because no stable release has Postgres 18 yet. apt checks the signatures of its packages.
suite=${SUITE:-forky}
mirror=${MIRROR:-http://deb.debian.org/debian}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
# An older debootstrap has no script for the suite. They are all the same.
script=/usr/share/debootstrap/scripts/sid
packages=ca-certificates,postgresql-18,redis-server,prometheus,prometheus-alertmanager
if ! debootstrap --variant=minbase --include="$packages" "$suite" "$dir/root" "$mirror" "$script" >"$dir/log" 2>&1; then
  tail "$dir/log" >&2
  exit 1
fi
cd "$dir/root"
rm -rf var/cache/apt var/lib/apt/lists var/lib/postgresql usr/share/doc usr/share/locale usr/share/man
tar -c . | podman import --quiet - "$image"
