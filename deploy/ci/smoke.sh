#!/usr/bin/env bash
# Does everything that a customer can do, against the system at RESERVATION_URL and STOCK_URL: smoke.sh
#
# With WEB_URL it also opens the first page there.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

: "${RESERVATION_URL:?name where the reservation service answers}" "${STOCK_URL:?name where stock answers}"
say "Testing $RESERVATION_URL and $STOCK_URL"
# A prefix for the names of its books, which separates it from other runs.
RUN=${RUN:-smoke-$(date +%s)} k6 run --quiet --no-usage-report "$root/load/k6/smoke.ts" >&2
if [ -n "${WEB_URL:-}" ]; then
  say "Opening $WEB_URL"
  curl --fail --silent --show-error --output /dev/null --max-time 10 --retry 3 "${WEB_URL%/}/" >&2
fi
