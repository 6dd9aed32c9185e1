#!/usr/bin/env bash
# Prints the manifests of an overlay, with our image by its digest: render.sh OVERLAY REFERENCE
#
# OVERLAY is a folder of deploy/kubernetes/overlays.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

overlay=${1:?name the overlay}
reference=${2:?name the image by its digest}
by_digest "$reference"
[ -d "$root/deploy/kubernetes/overlays/$overlay" ] || die "No such overlay: $overlay"

# Kustomize only accepts folders within the tree.
dir=$(mktemp -d "$root/deploy/kubernetes/.release-XXXXXX")
trap 'rm -rf "$dir"' EXIT

# Replace the image, whatever its name in the overlay is.
names=$(kubectl kustomize "$root/deploy/kubernetes/overlays/$overlay" |
  sed -nE 's/^[- ]*image: *"?([^"@ ]*bookreservation)([:@][^" ]*)?"?$/\1/p' | sort -u)
[ -n "$names" ] || die "The overlay $overlay does not run our image"
{
  echo 'apiVersion: kustomize.config.k8s.io/v1beta1'
  echo 'kind: Kustomization'
  echo "resources: [../overlays/$overlay]"
  echo 'images:'
  for name in $names; do
    echo "  - {name: $name, newName: ${reference%@*}, digest: ${reference#*@}}"
  done
} >"$dir/kustomization.yaml"
manifests=$(kubectl kustomize "$dir")
if grep -E '^[- ]*image: .*bookreservation([:@"]|$)' <<<"$manifests" | grep -qvF "$reference"; then
  die "The overlay $overlay would run another image of ours beside $reference"
fi
echo "$manifests"
