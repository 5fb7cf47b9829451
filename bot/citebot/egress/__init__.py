"""Requests to other servers: which addresses, how fast, how often again. Sources reach the network through it only."""

from __future__ import annotations

from citebot.egress.client import SourceHttp, Time, open_http

__all__ = ["SourceHttp", "Time", "open_http"]
