#!/usr/bin/env bash
# Deploys an image to an environment: deploy.sh OVERLAY REFERENCE
#
# OVERLAY is a folder of deploy/kubernetes/overlays. Exits when the database is migrated and every deployment has been
# replaced, pod by pod. NAMESPACE and TIMEOUT are passed to kubectl. It does not roll back: release.sh does.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

overlay=${1:?name the overlay}
reference=${2:?name the image by its digest}
namespace=${NAMESPACE:-bookreservation}
timeout=${TIMEOUT:-10m}
by_digest "$reference"
manifests=$("$root/deploy/ci/render.sh" "$overlay" "$reference")

say "Deploying $reference to $overlay"
# A Job is immutable. Services wait for the new one before they start.
kubectl --namespace "$namespace" delete job migrate --ignore-not-found --wait >&2
kubectl apply --filename - <<<"$manifests" >&2
kubectl --namespace "$namespace" wait --for=condition=complete --timeout="$timeout" job/migrate >&2
for name in $(kubectl --namespace "$namespace" get deployments --selector app.kubernetes.io/part-of=bookreservation --output name); do
  kubectl --namespace "$namespace" rollout status --timeout="$timeout" "$name" >&2
done
