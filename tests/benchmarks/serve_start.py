"""How long `citebot serve` takes to be ready, what it holds in memory when idle, and how long it takes to end.

SQLite, the sample company, no model loaded. Prints JSON; `--runs N` (default 5) starts, of which the medians count.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

READY_SECONDS, RESIDENT_MB, END_SECONDS = 2.0, 100.0, 5.0
SETTLE = 3.0
"""Seconds until the loops have looked at everything once."""


def measure(folder: Path) -> dict[str, float]:
    """Start a server, look at it, end it."""
    began = time.monotonic()
    line = [sys.executable, "-m", "citebot", "--data-dir", str(folder), "serve", "--port", "0"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = next(found[1] for text in process.stderr if (found := re.search(r"at (http://\S+)", text)))
            while not is_ready(address):
                time.sleep(0.01)
            ready = time.monotonic() - began
            time.sleep(SETTLE)
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            told = time.monotonic()
            process.terminate()
            process.wait(timeout=30)
    resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
    return {"ready_seconds": ready, "resident_mb": resident, "end_seconds": time.monotonic() - told}


def is_ready(address: str) -> bool:
    """Whether it says so itself."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=5) as page:
            return bool(page.status == 200)
    except urllib.error.HTTPError:
        return False


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        demo = [sys.executable, "-m", "citebot", "--data-dir", place, "demo", "--once"]
        subprocess.run(demo, check=True, capture_output=True)
        found = [measure(Path(place) / "demo") for _ in range(runs)]
    medians = {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}
    limits = {"ready_seconds": READY_SECONDS, "resident_mb": RESIDENT_MB, "end_seconds": END_SECONDS}
    passed = all(medians[key] <= limit for key, limit in limits.items())
    print(json.dumps({"runs": runs, "medians": medians, "limits": limits, "passed": passed}, indent=2))


if __name__ == "__main__":
    main()
