"""Plugins: found by entry point, loaded by name, checked at start, called in isolation.

Only this package knows pluggy's manager; everything else calls the typed methods of `PluginManager`.
"""

from __future__ import annotations

from citebot.pluginmanager.manager import PluginInfo, PluginManager
from citebot.pluginmanager.parking import Parked

__all__ = ["Parked", "PluginInfo", "PluginManager"]
