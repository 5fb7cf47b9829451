"""A platform as a page, for a person who tries a bot without it: the frame, and forms that act."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from html import escape
from importlib.resources import files


class Looking:
    """Who looks at what, as fields of an address; each platform has its own."""

    def fields(self) -> dict[str, str]:
        """The view as it is."""
        raise NotImplementedError

    def query(self, **other: str) -> str:
        """The address of the same view, changed."""
        now = self.fields() | other
        return "/?" + "&amp;".join(f"{k}={escape(v)}" for k, v in now.items() if v)

    def hidden(self, **more: str) -> str:
        """The same for a form."""
        now = self.fields() | more
        return "".join(f'<input type="hidden" name="{k}" value="{escape(v)}">' for k, v in now.items())

    def link(self, label: str, here: bool, **where: str) -> str:
        """A link to the same view, changed."""
        return f'<a {"class=here" if here else ""} href="{self.query(**where)}">{escape(label)}</a>'

    def form(self, do: str, label: str, **fields: str) -> str:
        """A button that does something."""
        inside = self.hidden(do=do, **fields)
        return f'<form class="act" method="post" action="/view/act">{inside}<button>{escape(label)}</button></form>'

    def line(self, hint: str, **fields: str) -> str:
        """A field for what one wants to say."""
        line = (
            f'<input name="line" placeholder="{escape(hint)}" aria-label="{escape(hint)}" autocomplete="off" required>'
        )
        inside = self.hidden(do="say", **fields)
        return f'<form class="say" method="post" action="/view/act">{inside}{line}<button>Send</button></form>'

    def dialog(self, title: str, inner: str, *, submit: str, errors: str = "", **fields: str) -> str:
        """A modal with its fields; without `submit` it can only be closed."""
        button = f"<button>{escape(submit)}</button>" if submit else ""
        return (
            f'<div class="modal"><h2>{escape(title)}</h2>{self.form("close", "Close", **fields)}'
            f'<form method="post" action="/view/act">{self.hidden(do="submit", **fields)}'
            f"{inner}{errors}{button}</form></div>"
        )


class Page(ABC):
    """Draws what one person sees."""

    title = ""

    @abstractmethod
    def parts(self) -> dict[str, str]:
        """What changes while one looks: `side`, `main`, `thread`, `modal`."""

    @abstractmethod
    def inputs(self) -> dict[str, str]:
        """Where one writes: `say` below the channel, `reply` below the thread."""

    def html(self) -> str:
        """The whole page."""
        parts = self.parts() | self.inputs() | {"title": escape(self.title)}
        template = (files(__package__) / "page.html").read_text("utf-8")
        return re.sub(r"{{(\w+)}}", lambda match: parts[match[1]], template)

    def json(self) -> str:
        """The parts for the script."""
        return json.dumps(self.parts())


def anchor(url: str, label: str) -> str:
    """A link out of the page; what no browser should open stays text."""
    if not url.startswith(("http://", "https://", "mailto:")):
        return escape(f"[{label}]({url})")
    return f'<a href="{escape(url)}" rel="noreferrer" target="_blank">{escape(label)}</a>'
