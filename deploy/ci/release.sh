#!/usr/bin/env bash
# Deploys an image, tries it, and takes it back if it does not work: release.sh OVERLAY REFERENCE
#
# Ends with 0 when the environment runs the image; with 1 when it runs what it ran before; with 2 when nobody knows what it
# runs, and a person has to look. The environment is that of deploy.sh and smoke.sh.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

overlay=${1:?name the overlay}
reference=${2:?name the image by its digest}
namespace=${NAMESPACE:-bookreservation}
here=$root/deploy/ci
by_digest "$reference"

# NAME REVISION of every deployment, none before the first release.
revisions() {
  kubectl --namespace "$namespace" get deployments --selector app.kubernetes.io/part-of=bookreservation --output \
    'jsonpath={range .items[*]}{.metadata.name}{" "}{.metadata.annotations.deployment\.kubernetes\.io/revision}{"\n"}{end}'
}

# Migrations leave the version before them working, so the services alone go back. Settings and secrets that a revision names
# are still there: each change of them has a name of its own.
roll_back() {
  local name revision failed=0
  trap '' INT TERM
  say "Taking it back: $1"
  if [ -z "$before" ]; then
    say 'Nothing ran here before, so there is nothing to go back to'
    exit 2
  fi
  while read -r name revision; do
    kubectl --namespace "$namespace" rollout undo "deployment/$name" --to-revision="$revision" >&2 </dev/null || failed=1
  done <<<"$before"
  while read -r name _; do
    kubectl --namespace "$namespace" rollout status --timeout="${TIMEOUT:-10m}" "deployment/$name" >&2 </dev/null || failed=1
  done <<<"$before"
  if [ "$failed" = 1 ]; then
    say 'It could not be taken back altogether: look at it (kubectl get pods, kubectl rollout history)'
    exit 2
  fi
  say 'The environment runs what it ran before'
  exit 1
}

before=$(revisions)
"$here/verify.sh" "$reference"

# In the background and as a group of its own, so that a signal is heard at once, and ends the step with all that it runs.
set -m
trap 'kill -- "-$step" 2>/dev/null || true; wait "$step" || true; roll_back "the release was cancelled"' INT TERM
for script in "deploy.sh $overlay $reference" smoke.sh; do
  # shellcheck disable=SC2086
  "$here"/$script </dev/null &
  step=$!
  wait "$step" || roll_back "${script%% *} failed"
done
say "$overlay runs $reference"
