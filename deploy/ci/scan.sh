#!/usr/bin/env bash
# Writes the SBOM of an image, and looks for known vulnerabilities: scan.sh IMAGE SBOM
#
# SBOM is the file to write, SPDX as JSON. Fails on a vulnerability of high severity that a newer version fixes. Failing on one
# without a fix would only delay the fixes of others.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

image=${1:?name the image}
sbom=${2:?name the file to write}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

say "Writing the SBOM of $image"
podman save --quiet --format oci-archive --output "$dir/image.tar" "$image" >&2
syft scan --quiet "oci-archive:$dir/image.tar" --output "spdx-json=$sbom"

say "Looking for known vulnerabilities"
grype --quiet "sbom:$sbom" --only-fixed --fail-on high >&2
