"""Redirects every webhook that Schemathesis generates to a receiver on this machine."""

import os
import re
from urllib.parse import quote

import schemathesis

RECEIVER = os.environ["FUZZ_RECEIVER"]
# URL parsers ignore these characters in any place.
IGNORED = re.compile(r"[\x00-\x20]")


@schemathesis.hook
def before_call(context, case, kwargs):
    body = case.body
    if not isinstance(body, dict):
        return
    webhook = body.get("webhook")
    if isinstance(webhook, str) and IGNORED.sub("", webhook).lower().startswith("http"):
        case.body = {**body, "webhook": f"{RECEIVER}/{quote(webhook, safe='', errors='replace')}"[:2048]}
