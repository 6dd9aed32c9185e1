#!/usr/bin/env bash
# Verifies the signature of an image: verify.sh REFERENCE
#
# The signer is COSIGN_KEY, or COSIGN_IDENTITY (a pattern) and COSIGN_ISSUER.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

reference=${1:?name the image by its digest}
by_digest "$reference"
if [ -n "${COSIGN_KEY:-}" ]; then
  by=(--key "$COSIGN_KEY")
else
  by=(
    --certificate-identity-regexp "${COSIGN_IDENTITY:?set the signer, or COSIGN_KEY}"
    --certificate-oidc-issuer "${COSIGN_ISSUER:?set the issuer of that identity}"
  )
fi

say "Verifying the signature of $reference"
cosign verify "${by[@]}" "$reference" >/dev/null
