"""Blocks and texts as HTML; whatever apps and people wrote is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from citebot.testing.chat.page import anchor
from citebot.testing.slack.composing import unescape
from citebot.testing.slack.reading import words
from citebot.testing.slack.state import Json, World

SPANS = re.compile(
    r"```(?P<fence>.*?)```|`(?P<code>[^`\n]+)`|<(?P<control>[@#!][^<>]+|(?:https?|mailto):[^<>]+)>"
    r"|\[(?P<label>[^\]\n]+)\]\((?P<url>[^)\s]+)\)|\*\*(?P<strong>[^*\n]+)\*\*|(?<!\w)\*(?P<star>[^*\n]+)\*(?!\w)"
    r"|(?<!\w)_(?P<em>[^_\n]+)_(?!\w)|~(?P<strike>[^~\n]+)~|(?P<bare>https?://[^\s<>]+)",
    re.DOTALL,
)
MARKS = {"strong": "b", "em": "i", "strike": "s", "code": "code"}
TASK_SIGNS = {"pending": "○", "in_progress": "◐", "complete": "●", "error": "✕"}


class Drawing:
    """Draws for one reader; `act` makes the HTML of something that can be pressed."""

    def __init__(self, world: World, reader: str, act: Callable[[Json, str, str], str]) -> None:
        self._world = world
        self._reader = reader
        self._act = act

    def text(self, text: str, *, markdown: bool = False) -> str:
        """Stored text with its links, mentions and marks; `*x*` is bold in Slack's syntax, italic in Markdown."""
        out, done = "", 0
        for match in SPANS.finditer(text):
            out += escape(unescape(text[done : match.start()])) + self._span(match, markdown)
            done = match.end()
        out += escape(unescape(text[done:]))
        if markdown:
            out = re.sub(r"(?m)^#{1,6} (.*)$", r"<b>\1</b>", out)
        return out

    def _span(self, match: re.Match[str], markdown: bool) -> str:
        if match["fence"] is not None:
            return f"<pre>{escape(unescape(match['fence'].strip(chr(10))))}</pre>"
        if match["control"]:
            return self._control(match["control"])
        if url := match["url"] or match["bare"]:
            return anchor(unescape(url), unescape(match["label"] or url))
        if match["star"] is not None:
            mark = "i" if markdown else "b"
            return f"<{mark}>{self.text(match['star'], markdown=markdown)}</{mark}>"
        name = next(name for name in MARKS if match[name] is not None)
        inner = escape(unescape(match[name])) if name == "code" else self.text(match[name], markdown=markdown)
        return f"<{MARKS[name]}>{inner}</{MARKS[name]}>"

    def _control(self, control: str) -> str:
        body, _, label = control.partition("|")
        if body[0] not in "@#!":
            return anchor(unescape(body), unescape(label) or unescape(body))
        user, channel = self._world.users.get(body[1:]), self._world.channels.get(body[1:])
        name = (user and user.name) or (channel and channel.name) or label or body[1:]
        return f"<mark>{escape(('#' if body[0] == '#' else '@') + name)}</mark>"

    def blocks(self, blocks: list[Json]) -> str:
        """All blocks of a message or view."""
        return "".join(f'<div class="block {escape(b["type"])}">{self.block(b)}</div>' for b in blocks)

    def block(self, block: Json) -> str:
        """One block; a kind that is not known shows its texts."""
        match block["type"]:
            case "divider":
                return "<hr>"
            case "markdown":
                return self.text(block["text"], markdown=True)
            case "rich_text":
                return "".join(self._rich(part) for part in block["elements"])
            case "section" | "header" | "alert":
                return (
                    self._object(block.get("text")) + self._fields(block) + self._element(block, block.get("accessory"))
                )
            case "context" | "actions" | "context_actions":
                return " ".join(self._element(block, e) for e in block["elements"])
            case "table":
                return self._table(block["rows"])
            case "task_card":
                return self._task(block)
            case "plan":
                return f"<b>{escape(block['title'])}</b>" + "".join(self._task(t) for t in block.get("tasks", ()))
            case "input":
                hint = f"<small>{self._object(block['hint'])}</small>" if block.get("hint") else ""
                return f"<label>{self._object(block['label'])}{field(block)}{hint}</label>"
            case _:
                return "<br>".join(escape(w) for w in words(block))

    def _object(self, text: Any) -> str:
        if not isinstance(text, dict):
            return ""
        return self.text(text["text"]) if text["type"] == "mrkdwn" else escape(text["text"])

    def _fields(self, block: Json) -> str:
        return "".join(f"<p>{self._object(f)}</p>" for f in block.get("fields") or ())

    def _rich(self, part: Json) -> str:
        if part.get("type") == "rich_text_list":
            return "<ul>" + "".join(f"<li>{self._rich(item)}</li>" for item in part["elements"]) + "</ul>"
        tag = {"rich_text_preformatted": "pre", "rich_text_quote": "blockquote"}.get(part.get("type", ""), "span")
        return f"<{tag}>{''.join(self._run(run) for run in part.get('elements', ()))}</{tag}>"

    def _run(self, run: Json) -> str:
        match run.get("type"):
            case "link":
                return anchor(run["url"], run.get("text") or run["url"])
            case "user" | "channel" | "broadcast":
                sign = "#" if run["type"] == "channel" else "@"
                return self._control(sign + str(run.get("user_id") or run.get("channel_id") or run.get("range")))
            case _:
                return escape(run.get("text") or f":{run.get('name', '')}:")

    def _table(self, rows: list[Any]) -> str:
        cells = ["".join(f"<td>{self._cell(cell)}</td>" for cell in row) for row in rows]
        return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"

    def _cell(self, cell: Json) -> str:
        return self.block(cell) if cell.get("type") == "rich_text" else escape(str(cell.get("text", "")))

    def _task(self, task: Json) -> str:
        sign = TASK_SIGNS.get(task.get("status", ""), "○")
        more = [escape(w) for key in ("details", "output") for w in words(task.get(key))]
        sources = [anchor(s["url"], s["text"]) for s in task.get("sources") or ()]
        lines = "".join(f"<small>{line}</small>" for line in [*more, *sources])
        return f'<div class="task {escape(task.get("status", ""))}">{sign} {escape(task.get("title", ""))}{lines}</div>'

    def _element(self, block: Json, element: Any) -> str:
        if not isinstance(element, dict) or self._reader not in element.get("visible_to_user_ids", [self._reader]):
            return ""
        kind = element["type"]
        if kind == "image":
            return f"<i>{escape(element.get('alt_text', ''))}</i>"
        if "action_id" not in element:
            return self._object(element) if "text" in element else ""
        element = {"block_id": block.get("block_id", ""), **element}
        if kind == "feedback_buttons":
            pairs = [(name, element[f"{name}_button"]["text"]["text"]) for name in ("positive", "negative")]
            return " ".join(self._act(element, value, label) for value, label in pairs)
        if "options" in element:
            return " ".join(self._act(element, o["value"], o["text"]["text"]) for o in element["options"])
        label = element["text"]["text"] if "text" in element else kind
        link = f" {anchor(element['url'], '↗')}" if element.get("url") else ""
        return self._act(element, "", label) + link


def field(block: Json) -> str:
    """An input of a modal."""
    element = block["element"]
    name, required = escape(f"value.{element['action_id']}"), "" if block.get("optional") else "required"
    if "options" in element:
        begun = [*element.get("initial_options", ()), *filter(None, [element.get("initial_option")])]
        chosen = {option["value"] for option in begun}
        many = "multiple" if element["type"] in ("multi_static_select", "checkboxes") else ""
        options = "".join(
            f'<option value="{escape(o["value"])}" {"selected" if o["value"] in chosen else ""}>'
            f"{escape(o['text']['text'])}</option>"
            for o in element["options"]
        )
        # Without the empty field a form does not say that nothing is chosen any more.
        nothing = f'<input type="hidden" name="{name}" value="">' if many else ""
        empty = "" if required or many else "<option></option>"
        return f'{nothing}<select name="{name}" {required} {many}>{empty}{options}</select>'
    initial = escape(str(element.get("initial_value") or ""))
    if element.get("multiline"):
        return f'<textarea name="{name}" rows="4" {required}>{initial}</textarea>'
    return f'<input name="{name}" value="{initial}" {required}>'
