"""K: the structure of documents arrives."""

from __future__ import annotations

from citebot.testing.sources.checking import Trial, check, must
from citebot.testing.sources.lab import WritesRich

RICH = """\
## Install

Ask in [the guide](https://example.org/guide) first.

```python
def install():
    return 42
```

| Country | Days |
|---------|------|
| Poland  | 26   |

### Upgrade

* outer item
  * inner item

![a red boat](boat.png)
"""
"""What `WritesRich.write_rich` writes, as Markdown; in the markup of your place it should say the same."""


@check("K1", "Headings, code, tables and lists arrive", why="Flattened, they cannot be read.", needs=WritesRich)
def structure_arrives(trial: Trial) -> None:
    lab = trial.lab
    assert isinstance(lab, WritesRich)
    key = lab.write_rich()
    passages = [passage for passage in trial.read().passages() if passage.document_id == key]
    text = "\n".join(passage.text for passage in passages)
    for words, what in {
        "def install():\n    return 42": "code with its indentation",
        "Country | Days": "the header of the table",
        "Poland | 26": "the rows of the table",
        "the guide": "the text of a link",
        "inner item": "nested items",
    }.items():
        must(words in text, f"{what[0].upper()}{what[1:]} is missing.")
    headings = " ".join(heading for passage in passages for heading in passage.headings)
    must("Install" in headings, "Headings are missing.")
    must("python" in text, "The language of the code is missing.")
    must(any(passage.anchor or "#" in passage.url for passage in passages), "No passage has an anchor to link to.")
    must(text.count("def install():") == 1, "The code is there more than once.")
