#!/usr/bin/env bash
# Runs all checks and all tests: test.sh
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

exec "$root/.ci/run"
