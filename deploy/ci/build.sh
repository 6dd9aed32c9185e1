#!/usr/bin/env bash
# Builds the image: build.sh IMAGE
#
# RUNTIME is node (unless told otherwise) or deno; VERSION and REVISION are noted in the image.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

image=${1:?name the image}
say "Building $image"
podman build --pull=newer \
  --file "$root/deploy/container/Containerfile" \
  --build-arg RUNTIME="${RUNTIME:-node}" \
  --build-arg VERSION="${VERSION:-dev}" \
  --build-arg REVISION="${REVISION:-$(git -C "$root" rev-parse HEAD)}" \
  --tag "$image" "$root" >&2
