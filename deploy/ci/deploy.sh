#!/usr/bin/env bash
# Brings an environment to an image: deploy.sh OVERLAY REFERENCE
#
# OVERLAY is a folder of deploy/kubernetes/overlays. Resolves when the database is migrated and every deployment has been
# replaced, pod by pod. NAMESPACE and TIMEOUT are those of kubectl. It does not go back by itself: release.sh does.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

overlay=${1:?name the overlay}
reference=${2:?name the image by its digest}
namespace=${NAMESPACE:-bookreservation}
timeout=${TIMEOUT:-10m}
by_digest "$reference"
[ -d "$root/deploy/kubernetes/overlays/$overlay" ] || die "No such overlay: $overlay"

# Kustomize takes folders within the tree alone.
dir=$(mktemp -d "$root/deploy/kubernetes/.release-XXXXXX")
trap 'rm -rf "$dir"' EXIT

# By whatever name the overlay knows the image, it becomes the one to deploy.
names=$(kubectl kustomize "$root/deploy/kubernetes/overlays/$overlay" |
  sed -nE 's/^[- ]*image: *"?([^"@ ]*bookreservation)([:@][^" ]*)?"?$/\1/p' | sort -u)
[ -n "$names" ] || die "The overlay $overlay runs no image of ours"
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

say "Deploying $reference to $overlay"
# A Job cannot be changed. Services wait for the new one before they start.
kubectl --namespace "$namespace" delete job migrate --ignore-not-found --wait >&2
kubectl apply --filename - <<<"$manifests" >&2
kubectl --namespace "$namespace" wait --for=condition=complete --timeout="$timeout" job/migrate >&2
for name in $(kubectl --namespace "$namespace" get deployments --selector app.kubernetes.io/part-of=bookreservation --output name); do
  kubectl --namespace "$namespace" rollout status --timeout="$timeout" "$name" >&2
done
