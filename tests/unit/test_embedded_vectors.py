from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from citebot.model import EVERYONE, Audience, Embedding, Readers
from citebot_plugins.embedded.analysis import terms
from citebot_plugins.embedded.rights import Rights
from citebot_plugins.embedded.vectors import Vectors
from citebot_plugins.index_text import indexed_text

Floats = NDArray[np.float32]


def embedded(rows: Floats) -> list[tuple[int, Embedding]]:
    return [(n + 1, Embedding(rows.shape[1], row.astype("<f2").tobytes())) for n, row in enumerate(rows)]


def unit(rng: np.random.Generator, count: int, dimensions: int = 32) -> Floats:
    rows = rng.standard_normal((count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Vectors, Floats]:
    rows = unit(np.random.default_rng(1), 12_000)
    vectors = Vectors(tmp_path_factory.mktemp("v"), dimensions=32, rows=0, exact_below=1_000, threads=1)
    vectors.append(embedded(rows[:11_000]))
    assert vectors.wants_building()
    vectors.build()
    # These come after the build: every one of them is compared.
    vectors.append([(key, made) for key, made in embedded(rows) if key > 11_000])
    return vectors, rows


@pytest.mark.parametrize("share", [1.0, 0.3, 0.01])
def test_the_approximate_index_finds_what_comparing_all_finds(many: tuple[Vectors, Floats], share: float) -> None:
    vectors, rows = many
    rng = np.random.default_rng(2)
    allowed = rng.random(len(rows)) < share
    found = wanted = 0
    for query in unit(rng, 20):
        got = vectors.search(vectors.view, query, allowed, 10)
        assert all(allowed[key - 1] for key in got)
        best = np.flatnonzero(allowed)[np.argsort(-(rows[allowed] @ query))[:10]]
        found += len(set((best + 1).tolist()) & set(got))
        wanted += len(best)
    assert found / wanted >= 0.95


def test_rows_that_were_never_committed_are_gone_after_reopening(tmp_path: Path) -> None:
    rows = unit(np.random.default_rng(3), 6)
    vectors = Vectors(tmp_path, dimensions=32, rows=0, exact_below=100, threads=1)
    vectors.append(embedded(rows))
    again = Vectors(tmp_path, dimensions=32, rows=4, exact_below=100, threads=1)
    assert again.view.keys.tolist() == [1, 2, 3, 4]
    assert not again.has(5)
    with pytest.raises(ValueError, match="shorter"):
        Vectors(tmp_path, dimensions=32, rows=5, exact_below=100, threads=1)


def test_cosines_of_single_passages_with_several_windows(tmp_path: Path) -> None:
    rows = unit(np.random.default_rng(4), 6)
    packed = [(key, Embedding(32, rows[2 * key - 2 : 2 * key].astype("<f2").tobytes())) for key in (1, 2, 3)]
    vectors = Vectors(tmp_path, dimensions=32, rows=0, exact_below=100, threads=1)
    vectors.append(packed)
    got = vectors.cosines(vectors.view, rows[3], [2, 3, 77])
    assert got == pytest.approx({2: 1.0, 3: max(rows[4] @ rows[3], rows[5] @ rows[3])}, abs=2e-3)


def test_rights_survive_and_new_passages_are_closed(tmp_path: Path) -> None:
    rights = Rights(tmp_path)
    rights.put(5_000, "wiki", Readers.everyone())
    rights.put(2, "wiki", Readers.nobody())
    rights.save()
    again = Rights(tmp_path)
    keys = np.array([2, 3, 5_000, 9_999])
    everyone = Audience(frozenset({EVERYONE}))
    assert again.allowed(keys, everyone, ()).tolist() == [False, False, True, False]
    assert again.allowed(keys, everyone, ("other",)).tolist() == [False] * 4
    again.remove(5_000)
    assert not again.allowed(keys, everyone, ()).any()


def test_addresses_are_not_words() -> None:
    text = "See [the page](https://wiki.example/a-b) or https://ci.example/build?x=1 now."
    assert indexed_text(text) == "See [the page] or   now."


def test_words_are_stemmed_in_their_language() -> None:
    assert terms("running deploys", "en").keys() == {"run", "deploy"}
    assert terms("Urlaubstage und Feiertagen", "de").keys() == {"urlaubstag", "feiertag"}
