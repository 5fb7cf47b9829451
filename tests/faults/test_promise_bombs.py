"""Promise P22: no file can take the bot down. Bombs among ordinary documents, in a process that can be measured."""

from __future__ import annotations

import json
import os
import pickle
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import SkipDocument
from citebot.ingest.chunking import make_chunks
from citebot.ingest.parser_child import MAX_CHARACTERS
from citebot.ingest.parsing import LONGEST_ANCHOR, Parser
from citebot.model import Batch, Block, Document, DocumentFormat, Failed, Gone, Json, Readers, Ref
from citebot.ports import NoSettings, SourceContext, SourceSpec
from citebot.settings import IngestSettings
from citebot.storage import documents
from citebot.testing.sources.world import SourceWorld

sys.path.insert(0, str(Path(__file__).parent))
import bombs_markup  # noqa: F401 - it enters its bombs
from bombs import BOMBS, noise
from bombs_office import body, docx, page_of, picture, relations, stream, words

SECONDS, MEGABYTES = 30, 512
SHORT = 2
"""Seconds for the parser in the large test, so that it ends; what is bound by the default is bound by these."""
LONGEST_PASSAGE = 60_000
FILLING = ["html with a table that spans far", "html with an endless list", "adf of wide cells"]
"""Those that take all the memory they get, and soon."""
CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from test_promise_bombs import load
load(*map(type(sys.argv[2]), sys.argv[2:]))
"""


def ordinary(number: int) -> list[Document]:
    """One document of every format."""
    says = f"The zebra number {number} has stripes."
    bodies: dict[DocumentFormat, bytes | str] = {
        "docx": docx(body(words(says))),
        "pdf": page_of(stream(f"BT /F1 9 Tf ({says}) Tj ET".encode())),
        "html": f"<p>{says}</p>",
        "storage": f"<p>{says}</p>",
        "mediawiki": f"<p>{says}</p>",
        "adf": json.dumps(
            {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": says}]}]}
        ),
        "textile": says,
        "markdown": says,
        "text": says,
    }
    readers = Readers.everyone()
    return [Document(f"zebra {number} {kind}", "Zebra", text, readers, format=kind) for kind, text in bodies.items()]


def of_pictures(number: int) -> bytes:
    """A Word file of pictures, each with a word after it."""
    targets = relations(*[("image", f"{at}.png") for at in range(number)])
    pictures = [(f"word/{at}.png", noise(1_000_000, at)) for at in range(number)]
    inside = "".join(picture(f"r{at}") + words("seen") for at in range(number))
    return docx(body(inside), [("word/_rels/document.xml.rels", targets), *pictures])


class Shelf:
    """A source of pickled documents that notes how long each kept the runner busy. Also the lab of its world."""

    name = "shelf"
    summary = "for this test"
    Settings = NoSettings
    spec = SourceSpec()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.took: dict[str, float] = {}

    def source(self, state_dir: Path) -> Shelf:
        return self

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        yield Batch(tuple(Ref(path.name, "1") for path in sorted(self._folder.iterdir())), None)

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for one in ids:
            document = pickle.loads((self._folder / one).read_bytes())
            began = time.monotonic()
            yield document
            self.took[one] = time.monotonic() - began

    def create(self, title: str, text: str, readers: Readers | None) -> str:
        raise NotImplementedError

    edit = delete = create  # type: ignore[assignment]  # nobody works here


def load(place: str, folder: str, seconds: str) -> None:
    """Read everything twice, and print what came of it. Runs in a process of its own."""
    shelf = Shelf(Path(place))
    settings = IngestSettings(parse_seconds=float(seconds))
    with closing(SourceWorld(shelf, Path(folder))) as world:  # type: ignore[arg-type]
        world.run(settings=settings)
        took = dict(shelf.took)
        again = world.run(settings=settings)
        with world.database.read() as tx:
            stored = sorted(documents.versions(tx, 1, list(took)))
        passages = world.passages()
        report = {
            "took": took,
            "again": again.done,
            "parked": world.parked(),
            "stored": stored,
            "texts": world.texts(),
            "longest": max(len(passage.text) for passage in passages),
            "anchor": max(len(passage.anchor) for passage in passages),
        }
    # Of this process since it began: `ru_maxrss` would begin with what pytest had when it started us.
    high = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert high is not None
    report["parent"] = int(high[1]) * 1024 / 1e6
    report["child"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    print(json.dumps(report))


def loaded(folder: Path, names: Sequence[str], *, seconds: float) -> dict[str, Any]:
    """What becomes of these bombs and the ordinary documents among them."""
    place = folder / "place"
    place.mkdir()
    for number, name in enumerate(names):
        for document in (BOMBS[name](), *ordinary(number)):
            key = f"{number:02} {document.id}"
            renamed = Document(**{f: getattr(document, f) for f in Document.__slots__} | {"id": key})
            (place / key).write_bytes(pickle.dumps(renamed))
    line = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(place), str(folder / "world"), str(seconds)]
    # Not under coverage, as nobody reads documents so: it would be the larger part of the seconds.
    plain = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=plain)
    assert done.returncode == 0, done.stderr[-2_000:]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def check(report: dict[str, Any], number: int) -> None:
    """What holds whatever the bombs are."""
    texts, parked = report["texts"], report["parked"]
    zebras = [f"{at:02} {document.id}" for at in range(number) for document in ordinary(at)]
    assert [key for key in zebras if texts.get(key) != f"The zebra number {int(key[:2])} has stripes."] == []
    assert len(report["took"]) == number + len(zebras)
    assert sorted([*parked, *report["stored"]]) == sorted(report["took"]), "parked or read, and never both"
    for key, why in parked.items():
        assert why.startswith(key)
        assert "\n" not in why
        assert len(why) < 200
    assert not any("root:" in text for text in texts.values()), "no other file is read"
    assert max(map(len, texts.values())) < 2 * MAX_CHARACTERS
    assert report["longest"] < LONGEST_PASSAGE
    assert report["anchor"] <= LONGEST_ANCHOR
    assert max(report["took"].values()) < SECONDS
    assert report["child"] < MEGABYTES
    assert report["parent"] < MEGABYTES
    assert report["again"] == 0, "and none is tried again"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_bombs_cost_little_and_hold_up_nobody(tmp_path: Path) -> None:
    names = [name for name in BOMBS if name not in FILLING]
    assert len(names) >= 40
    report = loaded(tmp_path, names, seconds=SHORT)
    check(report, len(names))
    late = [key for key, why in report["parked"].items() if "took longer than 2 s" in why]
    assert len(late) >= 3, "the limit was reached"
    assert all(report["took"][key] < SHORT + 3 for key in late)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_bombs_that_fill_memory_are_stopped_by_the_limit_as_it_is_set(tmp_path: Path) -> None:
    report = loaded(tmp_path, FILLING, seconds=IngestSettings().parse_seconds)
    check(report, len(FILLING))
    assert report["child"] > 0.8 * MEGABYTES, "the limit was reached"
    assert all("more memory than a parser may take" in why for why in report["parked"].values())
    assert len(report["parked"]) == len(FILLING)


WITH_PICTURES = 'data:image/png;base64,{}">'.format("A" * 1_300_000)


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("html", f'<p><img src="{WITH_PICTURES}seen</p>' * 14, 14),
        ("docx", of_pictures(14), 14),
        ("html", "<div>" * 300 + "seen" + "</div>" * 300 + "<p>seen</p>", 2),
        ("html", "<font>seen<br>" * 300, 300),
    ],
    ids=["html of many pictures", "docx of many pictures", "nested deeply", "tags left open"],
)
def test_no_part_of_a_large_or_odd_page_is_left_out_in_silence(
    kind: DocumentFormat, text: bytes | str, found: int
) -> None:
    with closing(Parser(IngestSettings())) as parser:
        blocks = parser.blocks(Document("page", "Page", text, Readers.everyone(), format=kind))
    assert sum(block.text.count("seen") for block in blocks) == found


def test_a_page_of_which_a_part_would_be_left_out_is_parked() -> None:
    with closing(Parser(IngestSettings())) as parser, pytest.raises(SkipDocument, match="nested too deeply"):
        parser.blocks(Document("page", "Page", "<b>seen" * 5_000, Readers.everyone(), format="html"))


def test_a_long_list_does_not_repeat_all_that_is_above_with_every_item() -> None:
    above = [Block("list_item", f"- above {'word ' * 25}", level=level) for level in range(60)]
    blocks = [*above, *[Block("list_item", "- a", level=60)] * 20_000]
    chunks = make_chunks(Document("list", "List", "", Readers.everyone()), blocks)
    written, given = (sum(len(one.text) for one in some) for some in (chunks, blocks))
    assert written < 15 * given
