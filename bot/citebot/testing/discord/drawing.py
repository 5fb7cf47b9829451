"""Texts, embeds and components as HTML; whatever apps and people wrote is escaped."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from citebot.testing.chat.page import anchor
from citebot.testing.discord.components import BUTTON, LINK, SELECTS
from citebot.testing.discord.state import Json, World

SPANS = re.compile(
    r"\\(?P<literal>[\\*_~|`>\[\]()#<@!-])|```(?:\w*\n)?(?P<fence>.*?)```|`(?P<code>[^`\n]+)`"
    r"|<(?P<control>@!?\d+|@&\d+|#\d+)>|\[(?P<label>[^\]\n]+)\]\(<?(?P<url>[^)\s>]+)>?\)"
    r"|\*\*(?P<strong>[^*\n]+)\*\*|__(?P<under>[^_\n]+)__|\*(?P<star>[^*\n]+)\*|(?<!\w)_(?P<em>[^_\n]+)_(?!\w)"
    r"|~~(?P<strike>[^~\n]+)~~|\|\|(?P<spoiler>[^|\n]+)\|\||<?(?P<bare>https?://[^\s<>]+)>?|(?P<all>@everyone|@here)",
    re.DOTALL,
)
MARKS = {"strong": "b", "under": "u", "star": "i", "em": "i", "strike": "s", "spoiler": "mark"}
LINES = (
    (r"(?m)^#{1,3} (.*)$", r"<b>\1</b>"),
    (r"(?m)^&gt; (.*)$", r"<q>\1</q>"),
    (r"(?m)^-# (.*)$", r"<small>\1</small>"),
)


class Drawing:
    """Draws for one reader; `act` makes the HTML of something that can be pressed."""

    def __init__(self, world: World, act: Callable[[Json, str, str], str]) -> None:
        self._world = world
        self._act = act

    def text(self, text: str) -> str:
        """Discord's Markdown."""
        out, done = "", 0
        for match in SPANS.finditer(text):
            out += escape(text[done : match.start()]) + self._span(match)
            done = match.end()
        out += escape(text[done:])
        for pattern, mark in LINES:
            out = re.sub(pattern, mark, out)
        return out

    def _span(self, match: re.Match[str]) -> str:
        if match["literal"]:
            return escape(match["literal"])
        if match["fence"] is not None:
            return f"<pre>{escape(match['fence'].strip(chr(10)))}</pre>"
        if match["code"]:
            return f"<code>{escape(match['code'])}</code>"
        if match["control"] or match["all"]:
            return f"<mark>{escape(self._named(match['control'] or match['all']))}</mark>"
        if url := match["url"] or match["bare"]:
            return anchor(url, match["label"] or url)
        name = next(name for name in MARKS if match[name] is not None)
        return f"<{MARKS[name]}>{self.text(match[name])}</{MARKS[name]}>"

    def _named(self, control: str) -> str:
        key = control.lstrip("@!&#")
        if control.startswith("#"):
            channel = self._world.channels.get(key)
            return f"#{channel.name if channel else 'unknown'}"
        roles = [g.roles[key] for g in self._world.guilds.values() if key in g.roles]
        user = self._world.users.get(key)
        return f"@{roles[0].name if roles else user.name if user else key}".replace("@@", "@")

    def embed(self, embed: Json) -> str:
        """One embed."""
        title, url = embed.get("title") or "", embed.get("url")
        head = f"<b>{anchor(url, title) if url else escape(title)}</b>" if title else ""
        fields = "".join(
            f"<p><b>{escape(f['name'])}</b> {self.text(f['value'])}</p>" for f in embed.get("fields") or ()
        )
        foot = f"<small>{escape((embed.get('footer') or {}).get('text') or '')}</small>"
        return f'<div class="task">{head}<div>{self.text(embed.get("description") or "")}</div>{fields}{foot}</div>'

    def components(self, components: list[Json]) -> str:
        """All components of a message."""
        return "".join(f'<div class="block">{self._component(c)}</div>' for c in components)

    def _component(self, component: Json) -> str:
        match component["type"]:
            case 1:
                return " ".join(self._element(c) for c in component["components"])
            case 9:
                return self.components(component["components"]) + self._element(component["accessory"])
            case 10:
                return self.text(component["content"])
            case 14:
                return "<hr>" if component.get("divider", True) else ""
            case 17:
                return f'<div class="task">{self.components(component["components"])}</div>'
            case _:
                return f"<i>{escape(str(component.get('description') or 'media'))}</i>"

    def _element(self, element: Json) -> str:
        label = str(element.get("label") or (element.get("emoji") or {}).get("name") or "")
        if element["type"] == BUTTON and element["style"] == LINK:
            return anchor(element["url"], f"{label} ↗")
        if element["type"] == BUTTON:
            return f"<s>{escape(label)}</s>" if element.get("disabled") else self._act(element, "", label)
        if element["type"] in SELECTS:
            options = [(o["value"], o["label"]) for o in element.get("options") or ()]
            return " ".join(self._act(element, value, name) for value, name in options)
        return ""


def fields(components: list[Json]) -> str:
    """The fields of a modal."""
    out = ""
    for component in components:
        if component["type"] == 10:
            out += f"<p>{escape(component['content'])}</p>"
        elif component["type"] == 18:
            hint = f"<small>{escape(component.get('description') or '')}</small>"
            out += f"<label>{escape(component['label'])}{_field(component['component'])}{hint}</label>"
        else:
            for child in component.get("components") or ():
                out += f"<label>{escape(child.get('label') or '')}{_field(child)}</label>"
    return out


def _field(field: Json) -> str:
    name, required = escape(f"value.{field['custom_id']}"), "required" if field.get("required", True) else ""
    if field["type"] == 23:
        return f'<input type="checkbox" name="{name}" value="yes">'
    if "options" in field:
        many = "multiple" if field["type"] == 22 or int(field.get("max_values") or 1) > 1 else ""
        empty = "" if required or many else "<option></option>"
        options = empty + "".join(_option(o) for o in field["options"])
        return f'<select name="{name}" {required} {many}>{options}</select>'
    begun, hint = escape(str(field.get("value") or "")), escape(str(field.get("placeholder") or ""))
    if field.get("style") == 2:
        return f'<textarea name="{name}" rows="4" placeholder="{hint}" {required}>{begun}</textarea>'
    return f'<input name="{name}" value="{begun}" placeholder="{hint}" {required}>'


def _option(option: Json) -> str:
    chosen = "selected" if option.get("default") else ""
    return f'<option value="{escape(option["value"])}" {chosen}>{escape(option["label"])}</option>'
