"""Tables and figures of the settings that were compared on one set."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chunk_scores import Values
from chunk_world import Cut, Stock
from quality_world import table

from citebot.evaluation import Interval, interval
from citebot.evaluation.bootstrap import LEVEL, SAMPLES

MEASURES = ("document ndcg@5", "document ndcg@10", "document recall@10", "document mrr@10", "text ndcg@5",
            "text recall@10", "text mrr@10", "read in 6 passages", "read in 1500 tokens")  # fmt: skip
ANSWERS = ("right reaction", "gold_precision", "gold_recall", "sentence_recall")
HEADLINES = ("document ndcg@5", "text ndcg@5", "read in 1500 tokens")
PLACES = {(True, True): "both", (True, False): "vectors", (False, True): "leg", (False, False): "none"}
"""Where headings count: in the embedded text, in a leg of their own."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is compared."""

    cut: Cut
    leg: bool

    @property
    def size(self) -> str:
        return f"{self.cut.tokens}/{self.cut.minimum}"

    @property
    def place(self) -> str:
        return PLACES[self.cut.heading, self.leg]

    @property
    def name(self) -> str:
        return f"{self.size} {self.place}"


@dataclass(frozen=True, slots=True)
class Result:
    """One setting on one set."""

    setting: Setting
    stock: Stock
    values: Values
    zeros: Mapping[str, int]
    """Counts that must be 0."""


@dataclass(frozen=True, slots=True)
class Report:
    """All settings on one set, against the shipped one."""

    name: str
    results: Sequence[Result]
    default: Setting

    def text(self) -> str:
        """Sizes with headings as shipped, then the places of headings."""
        measures = self._measures()
        sizes = [result for result in self.results if result.setting.place == "both"]
        stock = ["size", "chunks", "tokens", "windows", "over one", "embed s"]
        read = [[*_stock(one), *(self._cell(one, name) for name in measures)] for one in sizes]
        shown = [name for name in (*HEADLINES, *ANSWERS[:2]) if name in measures]
        compared = [one for one in self.results if one.setting.cut.minimum == self.default.cut.minimum]
        places = [
            [one.setting.size, one.setting.place, *(self._cell(one, name) for name in shown)]
            for one in sorted(compared, key=lambda one: one.setting.cut.tokens)
        ]
        return "\n".join(
            (
                f"\n{self.name}, {self._questions()} questions. * differs from {self.default.name} with 95 %,",
                f"** so too when {len(self.results) - 1} comparisons share the 5 %.\n",
                table([*stock, *measures], read),
                "",
                table(["size", "headings in", *shown], places),
            )
        )

    def figures(self) -> dict[str, Any]:
        """The headlines by setting: mean, and gain over the shipped one with its bounds; all else as one long list."""
        measures = self._measures()
        headlines = {
            f"{name}: mean, gain, from, to": {one.setting.name: self._four(one, name) for one in self.results}
            for name in HEADLINES
        }
        zeros = {name: max(one.zeros[name] for one in self.results) for name in self.results[0].zeros}
        stock = {one.setting.size: _counts(one) for one in self.results if one.setting.place == "both"}
        return {
            "questions": self._questions(),
            "chunks, tokens, windows, embed seconds": stock,
            **headlines,
            **({"most of any setting": zeros} if zeros else {}),
            "all": [[one.setting.name, name, *self._four(one, name)] for one in self.results for name in measures],
        }

    def gain(self, result: Result, name: str, *, level: float = LEVEL, samples: int = SAMPLES) -> Interval:
        """Over the shipped setting, question by question, of the questions that both have a value for."""
        ours, theirs = result.values[name], self._base().values[name]
        gains = [ours[key] - theirs[key] for key in sorted(ours.keys() & theirs.keys())]
        return interval(gains, level=level, samples=samples)

    def _cell(self, result: Result, name: str) -> str:
        return f"{_mean(result, name):.3f}{self._mark(result, name)}"

    def _mark(self, result: Result, name: str) -> str:
        """Many comparisons find something by chance: the second star asks each of them for its share."""
        if not self.gain(result, name).decided:
            return ""
        share = 0.05 / (len(self.results) - 1)
        return " **" if self.gain(result, name, level=1 - share, samples=20_000).decided else " *"

    def _four(self, result: Result, name: str) -> list[float]:
        gain = self.gain(result, name)
        return [round(value, 4) for value in (_mean(result, name), gain.mean, gain.low, gain.high)]

    def _measures(self) -> list[str]:
        return [name for name in (*MEASURES, *ANSWERS) if name in self._base().values]

    def _base(self) -> Result:
        return next(result for result in self.results if result.setting == self.default)

    def _questions(self) -> int:
        return len(self._base().values[HEADLINES[0]])


def _mean(result: Result, name: str) -> float:
    return statistics.fmean(result.values[name].values())


def _counts(result: Result) -> list[float]:
    stock = result.stock
    return [stock.chunks, round(stock.tokens), round(stock.windows, 2), round(stock.embed_seconds)]


def _stock(result: Result) -> list[str]:
    chunks, tokens, windows, seconds = _counts(result)
    return [result.setting.size, *map(str, (chunks, tokens, windows)), f"{result.stock.over_window:.0%}", str(seconds)]
