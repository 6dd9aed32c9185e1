#!/usr/bin/env bash
# Makes the two base images of the Containerfile without a registry: from Debian's packages, and from the installed node and
# npm.
#
#   deploy/container/local-base.sh BUILDER BASE
#
# BUILDER is a minimal Debian with node and npm. BASE has only the libraries that a runtime is linked with, and certificates,
# like the distroless images. Needs root, debootstrap and podman.
set -euo pipefail

builder=${1:?name the image to make for BUILDER}
base=${2:?name the image to make for BASE}
suite=${SUITE:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"

echo "Debian $suite from $mirror"
if ! debootstrap --variant=minbase --include=ca-certificates "$suite" "$dir/builder" "$mirror" >"$dir/log" 2>&1; then
  tail "$dir/log" >&2
  exit 1
fi

# BASE is extracted from the packages that were fetched for BUILDER.
mkdir -p "$dir/base/etc/ssl/certs"
for package in base-files netbase tzdata libc6 libgcc-s1 libstdc++6; do
  for deb in "$dir/builder/var/cache/apt/archives/${package}"_*.deb; do
    [ -e "$deb" ] && dpkg-deb --extract "$deb" "$dir/base"
  done
done
cp "$dir/builder/etc/ssl/certs/ca-certificates.crt" "$dir/base/etc/ssl/certs/"
printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nonroot:x:65532:65532:nonroot:/:/sbin/nologin >"$dir/base/etc/passwd"
printf '%s\n' root:x:0: nonroot:x:65532: >"$dir/base/etc/group"
rm -rf "$dir/base/usr/share/doc" "$dir/base/usr/share/man" "$dir/base/usr/share/locale"

rm -rf "$dir/builder/var/cache/apt/archives" "$dir/builder/var/lib/apt/lists"
install -D "$(node -p process.execPath)" "$dir/builder/usr/local/bin/node"
# A distribution keeps the licence of Node elsewhere than Node's own archives and images do.
for licence in "$(npm prefix --global)/LICENSE" /usr/share/doc/nodejs/copyright; do
  if [ -e "$licence" ]; then break; fi
done
install -m 644 -D "$licence" "$dir/builder/usr/local/LICENSE"
mkdir -p "$dir/builder/usr/local/lib/node_modules"
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
cp -R "$npm" "$dir/builder/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$dir/builder/usr/local/bin/npm"
# BUILDER trusts the same certificates as this machine, so that it can reach its registry; BASE trusts those of Debian.
cat /etc/ssl/certs/ca-certificates.crt "${NODE_EXTRA_CA_CERTS:-/dev/null}" >"$dir/builder/etc/ssl/certs/ca-certificates.crt"
mkdir -p "$dir/builder/usr/local/etc"
printf '%s\n' "registry=$(npm config get registry)" cafile=/etc/ssl/certs/ca-certificates.crt >"$dir/builder/usr/local/etc/npmrc"

tar -C "$dir/builder" -c . | podman import --quiet - "$builder"
tar -C "$dir/base" -c . | podman import --quiet - "$base"
