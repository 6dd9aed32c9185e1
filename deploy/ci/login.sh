#!/usr/bin/env bash
# Logs in to a registry, for podman and for cosign: login.sh REGISTRY USER
#
# The password is REGISTRY_PASSWORD. Other scripts that are run later find the login where the two programs keep it.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

registry=${1:?name the registry}
user=${2:?name the user}
: "${REGISTRY_PASSWORD:?it is the password}"

say "Logging in to $registry"
for program in podman cosign; do
  "$program" login "$registry" --username "$user" --password-stdin <<<"$REGISTRY_PASSWORD" >&2
done
