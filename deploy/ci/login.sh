#!/usr/bin/env bash
# Logs podman and cosign in to a registry: login.sh REGISTRY USER
#
# The password is REGISTRY_PASSWORD. Later scripts use the login that the two programs store.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

registry=${1:?name the registry}
user=${2:?name the user}
: "${REGISTRY_PASSWORD:?set the password}"

say "Logging in to $registry"
for program in podman cosign; do
  "$program" login "$registry" --username "$user" --password-stdin <<<"$REGISTRY_PASSWORD" >&2
done
