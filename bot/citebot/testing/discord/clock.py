"""Discord's own durations, in its seconds."""

from __future__ import annotations

ANSWER = 3.0
"""An interaction is answered within these."""
TOKEN = 900.0
"""How long an interaction's token works after that."""
NONCE = 120.0
"""How long `enforce_nonce` remembers a nonce."""
TYPING = 10.0
"""How long one sees that somebody types."""
HEARTBEAT = 41.25
"""Between two heartbeats of a client."""
SESSION = 120.0
"""How long a session that lost its connection can be resumed."""
IDENTIFY = 5.0
"""`max_concurrency` sessions may begin within these."""
DAY = 86_400.0
"""Identifies are counted in these."""
STRIKES = 600.0
"""Invalid requests are counted in these."""
BAN = 3_600.0
"""How long an address is banned for too many of them."""
SLOWEST_ARCHIVE = 10_080
"""Minutes."""
