#!/usr/bin/env bash
# Holds an image against its signature: verify.sh REFERENCE
#
# Who must have signed it is named by COSIGN_KEY, or by COSIGN_IDENTITY (a pattern) and COSIGN_ISSUER.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

reference=${1:?name the image by its digest}
by_digest "$reference"
if [ -n "${COSIGN_KEY:-}" ]; then
  by=(--key "$COSIGN_KEY")
else
  by=(
    --certificate-identity-regexp "${COSIGN_IDENTITY:?name who must have signed, or COSIGN_KEY}"
    --certificate-oidc-issuer "${COSIGN_ISSUER:?name who vouches for that identity}"
  )
fi

say "Verifying the signature of $reference"
cosign verify "${by[@]}" "$reference" >/dev/null
