"""What came of the checks, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from citebot.testing.sources.catalogue import GROUPS
from citebot.testing.sources.checking import Result


def as_json(result: Result, place: str = "") -> dict[str, Any]:
    """A result as JSON: `outcome` is `passed`, `failed` or `left out`."""
    check = result.check
    return {
        "place": place,
        "id": check.id,
        "group": GROUPS[check.id[0]],
        "title": check.title,
        "why": check.why,
        "outcome": result.outcome,
        "what": result.what,
        "seconds": round(result.seconds, 2),
        "requests": list(result.requests),
    }


@dataclass(frozen=True, slots=True)
class Summary:
    """How many checks came out how."""

    passed: int
    failed: int
    left_out: int

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Summary:
        """Count results as `as_json` gives them."""
        outcomes = [row["outcome"] for row in rows]
        return cls(*(outcomes.count(word) for word in ("passed", "failed", "left out")))

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.left_out} left out"


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: #1a1a1a }
h2 { margin-top: 2.5rem } p { margin: .5rem 0 }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .35rem .6rem; vertical-align: top }
tr { border-bottom: 1px solid #ddd } tbody th { padding-top: 1.2rem }
td:nth-child(-n+2), td:last-child { white-space: nowrap } td:last-child { color: #5a5a5a; text-align: right }
td:first-child, td:last-child { font-variant-numeric: tabular-nums }
.passed { color: #116329 } .failed { color: #b3261e; font-weight: 600 } .left { color: #5a5a5a }
small { color: #444; overflow-wrap: anywhere } pre { color: #444; overflow-x: auto; font-size: 12px }
"""


def as_html(rows: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """One page without scripts or anything from elsewhere; `rows` as `as_json` gives them, in any order."""
    places = sorted({str(row["place"]) for row in rows})
    body = "".join(_place(place, [row for row in rows if row["place"] == place]) for place in places)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>\n"
    )


def _place(place: str, rows: Sequence[Mapping[str, Any]]) -> str:
    rows = sorted(rows, key=lambda row: row["id"])
    lines = ""
    for letter, name in GROUPS.items():
        of_group = [row for row in rows if row["id"][0] == letter]
        if of_group:
            lines += f'<tr><th colspan="4" scope="rowgroup">{letter} {escape(name)}</th></tr>'
            lines += "".join(_line(row) for row in of_group)
    failed = ", ".join(str(row["id"]) for row in rows if row["outcome"] == "failed")
    summary = f"<p>{Summary.of(rows)}</p>" + (f'<p class="failed">Failed: {escape(failed)}</p>' if failed else "")
    return (
        f"<h2>{escape(place)}</h2>{summary}<table><thead><tr><th>Check</th><th>Result</th>"
        f"<th>What</th><th>Time</th></tr></thead><tbody>{lines}</tbody></table>"
    )


def _line(row: Mapping[str, Any]) -> str:
    what = escape(str(row["title"]))
    if row["outcome"] != "passed":
        what += f"<br><small>{escape(str(row['what']))}</small>"
    if row["outcome"] == "failed":
        what += f"<br><small>Why it matters: {escape(str(row['why']))}</small>"
        requests = escape("\n".join(row["requests"]))
        what += f"<details><summary>Requests</summary><pre>{requests}</pre></details>" if requests else ""
    mark = str(row["outcome"]).partition(" ")[0]
    return (
        f'<tr><td>{escape(str(row["id"]))}</td><td class="{escape(mark)}">{escape(str(row["outcome"]))}</td>'
        f"<td>{what}</td><td>{row['seconds']:.2f} s</td></tr>"
    )
