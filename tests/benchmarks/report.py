"""Writes docs/benchmarks.md from the figures that the benchmarks left as JSON.

    python tests/benchmarks/report.py [--results docs/benchmarks] [--out docs/benchmarks.md]

Every benchmark takes `--json FILE`; a file in the results folder becomes one table, headed by its name and its day.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
HEADER = """# Benchmarks

Measured with the scripts in `tests/benchmarks` and written by `tests/benchmarks/report.py`; nothing here is part of the
tests. Timings depend on the machine, ratios against the raw engine in the same run depend on it less.

Machine: {machine}.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=DOCS / "benchmarks")
    parser.add_argument("--out", type=Path, default=DOCS / "benchmarks.md")
    options = parser.parse_args()
    before = options.out.read_text("utf-8") if options.out.exists() else ""
    pages = [HEADER.format(machine=machine())]
    pages += [unless_known(page(path), before) for path in sorted(options.results.glob("*.json"))]
    options.out.write_text("\n".join(pages), "utf-8")


def unless_known(made: str, before: str) -> str:
    """The table as it is there already, if nothing but its day is new: a checkout dates every file anew."""
    title, _, rest = made.partition("Measured on ")
    rows = rest.partition("\n")[2]
    at = before.find(title)
    day = before[at + len(title) :].removeprefix("Measured on ").partition(".")[0] if at >= 0 else ""
    known = f"{title}Measured on {day}.\n{rows}"
    return known if day and known in before else made


def page(path: Path) -> str:
    """One result file as a table."""
    day = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    rows = "\n".join(f"| {name} | {value} |" for name, value in flat(json.loads(path.read_text("utf-8"))))
    title = path.stem.replace("_", " ")
    return f"## {title}\n\nMeasured on {day:%Y-%m-%d}.\n\n| figure | value |\n| --- | --- |\n{rows}\n"


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Nested figures as dotted names; lists longer than a few are left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        if len(value) <= 4 and not any(isinstance(item, dict | list) for item in value):
            yield path, ", ".join(map(shown, value))
        else:
            for number, inner in enumerate(value) if all(isinstance(item, dict) for item in value) else ():
                yield from flat(inner, f"{path}[{number}]")
    else:
        yield path, shown(value)


def shown(value: Any) -> str:
    """A figure with four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 10_000 else str(value)


def machine() -> str:
    """Processor, cores, memory, Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores ({kind}), {memory:.0f} GiB, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
