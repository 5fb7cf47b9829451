"""Requests to other servers: which addresses, how fast, how often again. Sources reach the network through it only."""

from __future__ import annotations

from citebot.egress.addresses import Allowed
from citebot.egress.client import Counted, SourceHttp, Time, open_http
from citebot.egress.transport import GuardedTransport

__all__ = ["Allowed", "Counted", "GuardedTransport", "SourceHttp", "Time", "open_http"]
