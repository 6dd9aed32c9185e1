#!/usr/bin/env bash
# Lists what an image is made of, and looks for known faults in it: scan.sh IMAGE SBOM
#
# SBOM is the file to write, SPDX as JSON. Fails on a fault of high severity that a newer version mends: one that nobody can
# mend yet would only stop mending others.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

image=${1:?name the image}
sbom=${2:?name the file to write}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

say "Listing what is in $image"
podman save --quiet --format oci-archive --output "$dir/image.tar" "$image" >&2
syft scan --quiet "oci-archive:$dir/image.tar" --output "spdx-json=$sbom"

say "Looking for known faults"
grype --quiet "sbom:$sbom" --only-fixed --fail-on high >&2
