#!/usr/bin/env bash
# Deploys an image, tests it, and rolls back if it does not work: release.sh OVERLAY REFERENCE
#
# Exits with 0 when the environment runs the image, with 1 when it runs the previous version again, and with 2 when a person
# has to look, because the rollback failed or was impossible. Takes the environment variables of deploy.sh and smoke.sh.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

overlay=${1:?name the overlay}
reference=${2:?name the image by its digest}
namespace=${NAMESPACE:-bookreservation}
here=$root/deploy/ci
by_digest "$reference"

# Prints "NAME REVISION" of every deployment; nothing before the first release.
revisions() {
  kubectl --namespace "$namespace" get deployments --selector app.kubernetes.io/part-of=bookreservation --output \
    'jsonpath={range .items[*]}{.metadata.name}{" "}{.metadata.annotations.deployment\.kubernetes\.io/revision}{"\n"}{end}'
}

# Migrations leave the previous version working, so only the services are rolled back. The settings and secrets of a revision
# still exist, because every change of them has its own name.
roll_back() {
  local name revision failed=0
  trap '' INT TERM
  say "Rolling back: $1"
  if [ -z "$before" ]; then
    say 'This was the first release, so there is nothing to roll back to'
    exit 2
  fi
  while read -r name revision; do
    kubectl --namespace "$namespace" rollout undo "deployment/$name" --to-revision="$revision" >&2 </dev/null || failed=1
  done <<<"$before"
  # The previous version does not know a deployment that this release has added.
  while read -r name _; do
    if [ -z "$name" ] || grep -q "^$name " <<<"$before"; then continue; fi
    kubectl --namespace "$namespace" delete "deployment/$name" --ignore-not-found >&2 </dev/null || failed=1
  done <<<"$(revisions </dev/null)"
  while read -r name _; do
    kubectl --namespace "$namespace" rollout status --timeout="${TIMEOUT:-10m}" "deployment/$name" >&2 </dev/null || failed=1
  done <<<"$before"
  if [ "$failed" = 1 ]; then
    say 'The rollback failed: a person has to look (kubectl get pods, kubectl rollout history)'
    exit 2
  fi
  say 'Rolled back: the environment runs the previous version'
  exit 1
}

before=$(revisions)
"$here/verify.sh" "$reference"

# Each step runs in the background in its own process group, so that a signal is handled at once and ends the whole step.
set -m
trap 'kill -- "-$step" 2>/dev/null || true; wait "$step" || true; roll_back "the release was canceled"' INT TERM
for script in "deploy.sh $overlay $reference" smoke.sh; do
  # shellcheck disable=SC2086
  "$here"/$script </dev/null &
  step=$!
  wait "$step" || roll_back "${script%% *} failed"
done
say "$overlay runs $reference"
