#!/usr/bin/env bash
# Deploys to a real Kubernetes on this machine, and plays the scenes of deploy/README.md: cluster.sh [SCENE,...]
#
# The nodes are containers of Docker, by kind.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$root"
npm run cluster:test -- --kind ${1:+--only "$1"}
