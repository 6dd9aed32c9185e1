#!/usr/bin/env bash
# Does everything that a customer can do, against the system at RESERVATION_URL and STOCK_URL: smoke.sh
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

: "${RESERVATION_URL:?name where the reservation service answers}" "${STOCK_URL:?name where stock answers}"
say "Testing $RESERVATION_URL and $STOCK_URL"
# A prefix for the names of its books, which separates it from other runs.
RUN=${RUN:-smoke-$(date +%s)} k6 run --quiet --no-usage-report "$root/load/k6/smoke.ts" >&2
