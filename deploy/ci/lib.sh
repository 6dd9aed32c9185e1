# Shared by the scripts of this folder. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail

# shellcheck disable=SC2034
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# For people, in the log. Only output for other scripts goes to stdout.
say() { printf '▶ %s\n' "$*" >&2; }

die() {
  printf '✘ %s\n' "$*" >&2
  exit 1
}

# Programs installed by tools.sh.
if command -v go >/dev/null; then PATH="$PATH:$(go env GOPATH)/bin"; fi

# A tag may be moved to another image; a digest may not.
by_digest() {
  [[ $1 =~ ^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$ ]] || die "Not an image with a digest: $1"
}
