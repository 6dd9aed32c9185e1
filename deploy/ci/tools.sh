#!/usr/bin/env bash
# Installs programs that the other scripts need and a runner lacks: tools.sh NAME...
#
# With Go, at these versions. Go checks the downloads against its public checksum log, on any CI and on a laptop.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

module_of() {
  case $1 in
    syft) echo github.com/anchore/syft/cmd/syft@v1.57.0 ;;
    grype) echo github.com/anchore/grype/cmd/grype@v0.121.2 ;;
    cosign) echo github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3 ;;
    k6) echo go.k6.io/k6@v1.8.1 ;;
    kind) echo sigs.k8s.io/kind@v0.33.0 ;;
    *) die "No such tool: $1" ;;
  esac
}

for name in "$@"; do
  module=$(module_of "$name")
  if command -v "$name" >/dev/null; then continue; fi
  say "Installing $module"
  go install "$module"
done
