"""Runs the command line of Citebot and says on whose code its processor time went.

    python tests/benchmarks/profiled.py FILE ARGUMENTS...

Python's own profiler in every thread, with the processor time of the thread as its clock. It makes calls of Python
functions dearer than they are, and so our share larger. Functions in C count for whose code they are where their name
says so, else for the function that called them.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import re
import sys
import sysconfig
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

TREE = Path(__file__).parents[2]
OWN = {"bot": "core", "connectors": "connectors", "plugins": "plugins", "alembic": "core"}
STDLIB = sysconfig.get_path("stdlib")
NAMED = re.compile(r"(?:built-in method |of ')(psycopg|numpy|sqlalchemy|h11|pydantic_core|tantivy|orjson)")
Function = tuple[str, int, str]

profiles: list[cProfile.Profile] = []


def begin(*_: Any) -> None:
    """Profile the thread that we are in."""
    profile = cProfile.Profile(time.thread_time)
    profiles.append(profile)
    profile.enable()


def owner(function: Function) -> str:
    """Whose code a function is; empty for one in C that does not say so."""
    file, _, name = function
    if file == "~":
        found = NAMED.search(name)
        return found[1] if found else ""
    if file.startswith(str(TREE)) and "site-packages" not in file:
        return OWN.get(Path(file).relative_to(TREE).parts[0], "other")
    _, inside, package = file.partition("site-packages/")
    if inside:
        return package.split("/", 1)[0].removesuffix(".py")
    return "standard library" if file.startswith((STDLIB, "<frozen")) else "other"


def add(profile: cProfile.Profile, seconds: Counter[str], places: Counter[str]) -> None:
    """Count what one thread did."""
    profile.create_stats()
    for function, (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        whose = owner(function)
        shares = {function: own} if whose else {caller: share[2] for caller, share in callers.items()}
        for who, spent in shares.items():
            name = whose or owner(who) or "standard library"
            seconds[name] += spent
            if name in OWN.values():
                places[f"{Path(who[0]).relative_to(TREE)}:{who[2]}"] += spent


def main() -> None:
    file, sys.argv[1:] = Path(sys.argv[1]), sys.argv[2:]
    from citebot.cli import main as citebot

    threading.setprofile(begin)  # called once in each new thread, which then has a profiler of its own
    begin()
    began = time.process_time()
    try:
        citebot()
    finally:
        threading.setprofile(None)
        sys.setprofile(None)
        seconds: Counter[str] = Counter()
        places: Counter[str] = Counter()
        for profile in profiles:
            add(profile, seconds, places)
        found = {
            "process_seconds": time.process_time() - began,
            "seconds": dict(seconds.most_common()),
            "places": dict(places.most_common(15)),
        }
        file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
