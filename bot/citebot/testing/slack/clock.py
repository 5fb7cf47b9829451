"""Slack's own durations, in its seconds."""

from __future__ import annotations

ACK = 3.0
"""An app acknowledges within these."""
RETRIES = (0.0, 60.0, 300.0)
"""An event that was not acknowledged comes again after these."""
STREAM = 300.0
"""A stream that was not stopped by then can only be repaired."""
TRIGGER = 3.0
"""How long a modal can be opened after a click."""
RESPONSE_URL = 1800.0
RESPONSE_URL_USES = 5
ACTION_TOKEN = 600.0
THINKING = 120.0
"""A status goes away by itself."""
TICKET = 30.0
"""How long the address of a socket can be used."""
PING = 10.0
"""Between two pings on a socket."""
CLOSING = 10.0
"""Between the announcement and the end of a socket."""
ROTATION = 43_200.0
"""The life of a rotating token."""
