#!/usr/bin/env bash
# Pushes an image, and prints its name by digest: publish.sh IMAGE REPOSITORY TAG
#
# Needs a login (login.sh). The tag is for people; all later steps use the digest.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

image=${1:?name the image}
repository=${2:?name the repository}
tag=${3:?name the tag}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

say "Pushing $repository:$tag"
podman push --digestfile "$dir/digest" "$image" "docker://$repository:$tag" >&2
reference=$repository@$(cat "$dir/digest")
by_digest "$reference"
echo "$reference"
