#!/usr/bin/env bash
# Signs a published image, and attests its SBOM: sign.sh REFERENCE SBOM
#
# Uses the identity of the CI run (OIDC), or the key that COSIGN_KEY names, such as azurekms://VAULT/KEY.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

reference=${1:?name the image by its digest}
sbom=${2:?name the SBOM of scan.sh}
by_digest "$reference"
[ -s "$sbom" ] || die "The SBOM is missing or empty: $sbom"
key=()
[ -z "${COSIGN_KEY:-}" ] || key=(--key "$COSIGN_KEY")

say "Signing $reference"
cosign sign --yes "${key[@]}" "$reference" >&2
cosign attest --yes "${key[@]}" --type spdxjson --predicate "$sbom" "$reference" >&2
