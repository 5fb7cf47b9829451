"""Shows answers on platforms that have messages: splits, paces, falls back, and never shows one twice."""

from __future__ import annotations

from citebot.showing.once import show_once
from citebot.showing.removing import remove_shown
from citebot.showing.shower import Opener, Shower, opener
from citebot.showing.splitting import split

__all__ = ["Opener", "Shower", "opener", "remove_shown", "show_once", "split"]
