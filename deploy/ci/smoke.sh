#!/usr/bin/env bash
# Does everything a customer can do, against the system that RESERVATION_URL and STOCK_URL name: smoke.sh
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

: "${RESERVATION_URL:?name where the reservation service answers}" "${STOCK_URL:?name where stock answers}"
say "Trying $RESERVATION_URL and $STOCK_URL"
# Names of its books begin with this, so that no other run meets them.
RUN=${RUN:-smoke-$(date +%s)} k6 run --quiet --no-usage-report "$root/load/smoke.ts" >&2
