# What the scripts of this folder share. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail

# shellcheck disable=SC2034
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# For people, in the log. What another script is to read goes to stdout alone.
say() { printf '▶ %s\n' "$*" >&2; }

die() {
  printf '✘ %s\n' "$*" >&2
  exit 1
}

# Programs that tools.sh has installed are found too.
if command -v go >/dev/null; then PATH="$PATH:$(go env GOPATH)/bin"; fi

# A tag may come to name another image, a digest never does.
by_digest() {
  [[ $1 =~ ^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$ ]] || die "Not an image by its digest: $1"
}
