#!/usr/bin/env bash
# Installs what the other scripts run and a runner lacks: tools.sh NAME...
#
# By Go, at these versions: what it fetches is held against Go's public log of checksums, on any CI and on a laptop alike.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

module_of() {
  case $1 in
    syft) echo github.com/anchore/syft/cmd/syft@v1.57.0 ;;
    grype) echo github.com/anchore/grype/cmd/grype@v0.121.2 ;;
    cosign) echo github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 ;;
    k6) echo go.k6.io/k6@v1.8.1 ;;
    *) die "No such tool: $1" ;;
  esac
}

for name in "$@"; do
  module=$(module_of "$name")
  if command -v "$name" >/dev/null; then continue; fi
  say "Installing $module"
  go install "$module"
done
