"""The lab that the chapter on the conformance kit shows is a lab, and its source passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def example(page: str, name: str) -> str:
    found = re.search(rf"```python title={re.escape(name)}\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_notes_of_the_chapter_conform(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(example("plugins.md", "notes.py"))
    (tmp_path / "test_notes_conform.py").write_text(example("conformance.md", "test_notes_conform.py"))
    quick = "A1 or A2 or A3 or B1 or B2 or B5 or C2 or C3 or C7 or E1 or F1 or F2"
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", quick)
    command = [sys.executable, "-m", "pytest", *options, "test_notes_conform.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout
    assert "12 passed" in done.stdout
