#!/usr/bin/env bash
# Builds the image: build.sh IMAGE
#
# RUNTIME is node (the default) or deno. VERSION and REVISION become labels of the image, and its services report REVISION in their
# metrics. BUILDER and BASE replace the base images of the Containerfile.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

image=${1:?name the image}
from=()
[ -z "${BUILDER:-}" ] || from+=(--build-arg BUILDER="$BUILDER")
[ -z "${BASE:-}" ] || from+=(--build-arg BASE="$BASE")

revision=${REVISION:-$(git -C "$root" rev-parse HEAD)}

say "Building $image"
podman build --pull=newer "${from[@]}" \
  --file "$root/deploy/container/Containerfile" \
  --build-arg RUNTIME="${RUNTIME:-node}" \
  --build-arg REVISION="$revision" \
  --label org.opencontainers.image.version="${VERSION:-dev}" \
  --label org.opencontainers.image.revision="$revision" \
  --tag "$image" "$root" >&2
