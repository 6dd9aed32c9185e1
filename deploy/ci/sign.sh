#!/usr/bin/env bash
# Signs a published image, and with it the list of what it is made of: sign.sh REFERENCE SBOM
#
# Without a key: by the identity that the CI gives this run (OIDC). COSIGN_KEY names a key of a key store instead, as
# azurekms://VAULT/KEY.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

reference=${1:?name the image by its digest}
sbom=${2:?name the list of scan.sh}
by_digest "$reference"
[ -s "$sbom" ] || die "No list of what the image is made of: $sbom"
key=()
[ -z "${COSIGN_KEY:-}" ] || key=(--key "$COSIGN_KEY")

say "Signing $reference"
cosign sign --yes "${key[@]}" "$reference" >&2
cosign attest --yes "${key[@]}" --type spdxjson --predicate "$sbom" "$reference" >&2
