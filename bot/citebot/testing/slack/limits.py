"""What Slack lets through: the limits of texts, blocks and views, as tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from citebot.testing.slack.refusing import Refused, invalid
from citebot.testing.slack.schema import Anything, Choice, Items, Shape, Spec, String, Text, Typed, problems
from citebot.testing.slack.state import Json

TEXT_MOST = 40_000
"""Longer text of a new message is cut."""
UPDATE_MOST = 4_000
"""Longer text of an update is refused."""
MARKDOWN_MOST = 12_000
MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
CHUNK_TEXT = 256
"""Titles, details and outputs of tasks in a stream."""
SESSION_TITLE = 200
PROMPTS = 4
MODALS = 3
"""Modals upon each other."""
TASK_STATUSES = ("pending", "in_progress", "complete", "error")

PLAIN = ("plain_text",)
ANY = Anything()
ID = String(255)
URL = String(3000, 1)
OPTION = Shape({"text": Text(75), "value": String(150), "description": Text(75), "url": URL}, ("text", "value"))
OPTIONS = Items(100, OPTION)
CONFIRM = Shape(
    {"title": Text(100, PLAIN), "text": Text(300), "confirm": Text(30, PLAIN), "deny": Text(30, PLAIN), "style": ANY}
)
IMAGE: dict[str, Spec] = {"image_url": URL, "slack_file": ANY, "alt_text": String(2000)}
BUTTON = Shape(
    {
        "text": Text(75, PLAIN),
        "action_id": ID,
        "url": URL,
        "value": String(2000),
        "style": Choice(("primary", "danger")),
        "confirm": CONFIRM,
        "accessibility_label": String(75),
        "agent_prompt": String(4000),
        "agent_prompt_display": ANY,
        "visible_to_user_ids": Items(10, String(30)),
    },
    ("text",),
)
FEEDBACK = Shape({"text": Text(75, PLAIN), "value": String(2000), "accessibility_label": String(75)}, ("text", "value"))
CHOOSER: dict[str, Spec] = {"action_id": ID, "options": OPTIONS, "confirm": CONFIRM, "placeholder": Text(150, PLAIN)}
CHOOSERS = (
    *("static_select", "external_select", "users_select", "conversations_select", "channels_select", "checkboxes"),
    *("multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select"),
    *("multi_channels_select", "radio_buttons", "datepicker", "timepicker", "datetimepicker", "rich_text_input"),
    *("email_text_input", "url_text_input", "number_input", "file_input", "workflow_button"),
)
ELEMENTS: dict[str, Shape] = {
    "button": BUTTON,
    "image": Shape(IMAGE, ("alt_text",), ("image_url", "slack_file")),
    "feedback_buttons": Shape(
        {"action_id": ID, "positive_button": FEEDBACK, "negative_button": FEEDBACK},
        ("positive_button", "negative_button"),
    ),
    "icon_button": Shape(
        {
            "action_id": ID,
            "icon": Choice(("trash",)),
            "text": Text(75, PLAIN),
            "accessibility_label": String(75),
            "value": String(2000),
            "visible_to_user_ids": Items(10, String(30)),
            "confirm": CONFIRM,
        },
        ("icon", "text"),
    ),
    "overflow": Shape({"action_id": ID, "options": Items(5, OPTION), "confirm": CONFIRM}, ("options",)),
    "plain_text_input": Shape(
        {
            "action_id": ID,
            "initial_value": String(3000),
            "placeholder": Text(150, PLAIN),
            "multiline": ANY,
            "min_length": ANY,
            "max_length": ANY,
            "dispatch_action_config": ANY,
            "focus_on_load": ANY,
        }
    ),
    **dict.fromkeys(CHOOSERS, Shape(CHOOSER, open=True)),
}
BLOCK: dict[str, Spec] = {"block_id": ID}
RICH = Typed({"rich_text": Shape(BLOCK | {"elements": ANY}, ("elements",))})
RAW = Shape({"text": String(3000)}, open=True)
CELL = Typed({"raw_text": RAW, "raw_number": Shape({}, open=True), **RICH.table})
SOURCE = Typed({"url": Shape({"url": URL, "text": String(256), "icon_url": URL}, ("url", "text"))})
TASK = Shape(
    BLOCK
    | {
        "task_id": ID,
        "title": String(256, 1),
        "details": RICH,
        "output": RICH,
        "sources": Items(100, SOURCE),
        "status": Choice(TASK_STATUSES),
    },
    ("task_id", "title"),
)
BLOCKS: dict[str, Shape] = {
    "section": Shape(
        BLOCK | {"text": Text(3000), "fields": Items(10, Text(2000)), "accessory": Typed(ELEMENTS), "expand": ANY},
        any_of=("text", "fields"),
    ),
    "header": Shape(BLOCK | {"text": Text(150, PLAIN), "level": ANY}, ("text",)),
    "divider": Shape(BLOCK),
    "image": Shape(BLOCK | IMAGE | {"title": Text(2000, PLAIN)}, ("alt_text",), ("image_url", "slack_file")),
    "context": Shape(
        BLOCK
        | {
            "elements": Items(
                10,
                Typed(
                    {"image": ELEMENTS["image"]}
                    | {k: Shape({"text": String(3000, 1)}, open=True) for k in ("plain_text", "mrkdwn")}
                ),
            )
        },
        ("elements",),
    ),
    "actions": Shape(BLOCK | {"elements": Items(25, Typed(ELEMENTS))}, ("elements",)),
    "context_actions": Shape(
        BLOCK | {"elements": Items(5, Typed(ELEMENTS, ("feedback_buttons", "icon_button")))}, ("elements",)
    ),
    "input": Shape(
        BLOCK
        | {
            "label": Text(2000, PLAIN),
            "hint": Text(2000, PLAIN),
            "element": Typed(ELEMENTS),
            "optional": ANY,
            "dispatch_action": ANY,
        },
        ("label", "element"),
    ),
    "markdown": Shape(BLOCK | {"text": String(MARKDOWN_MOST, 1)}, ("text",)),
    "rich_text": RICH.table["rich_text"],
    "table": Shape(BLOCK | {"rows": Items(100, Items(20, CELL)), "column_settings": Items(20, ANY)}, ("rows",)),
    "task_card": TASK,
    "plan": Shape(BLOCK | {"title": String(256, 1), "tasks": Items(50, Typed({"task_card": TASK}))}, ("title",)),
    "alert": Shape(
        BLOCK | {"text": Text(3000), "level": Choice(("default", "info", "warning", "error", "success"))}, ("text",)
    ),
    "card": Shape(BLOCK | {"title": Text(150), "subtitle": Text(150), "body": Text(200)}, open=True),
    **{kind: Shape(BLOCK, open=True) for kind in ("carousel", "container", "video", "file", "call", "auth_provider")},
}
MESSAGES_ONLY = ("markdown", "table", "context_actions", "task_card", "plan", "card", "carousel")
IN_VIEWS = tuple(kind for kind in BLOCKS if kind not in MESSAGES_ONLY)
VIEW: dict[str, Spec] = {
    "title": Text(24, PLAIN),
    "submit": Text(24, PLAIN),
    "close": Text(24, PLAIN),
    "private_metadata": String(3000),
    "callback_id": ID,
    "external_id": ID,
    "blocks": Items(VIEW_BLOCKS, Typed(BLOCKS, IN_VIEWS)),
}


def check_blocks(blocks: Any, *, pointer: str = "/blocks") -> None:
    """Refuse blocks that Slack would refuse."""
    spec = Items(MESSAGE_BLOCKS, Typed(BLOCKS), least=0)
    found = [*problems(spec, blocks, pointer)]
    if not found:
        found = [*_beyond_one_block(blocks, pointer)]
    if found:
        raise invalid(*found, error="invalid_blocks")
    if sum(drawn(block) for block in blocks) > MESSAGE_BLOCKS:
        raise Refused("msg_blocks_too_long")


def _beyond_one_block(blocks: list[Json], pointer: str) -> Iterator[str]:
    ids = [b["block_id"] for b in blocks if b.get("block_id")]
    if len(ids) != len(set(ids)):
        yield f"`block_id` already exists [json-pointer:{pointer}]"
    if sum(b["type"] == "table" for b in blocks) > 1:
        yield f"only_one_table_allowed [json-pointer:{pointer}]"
    markdown = sum(len(b["text"]) for b in blocks if b["type"] == "markdown")
    if markdown > MARKDOWN_MOST:
        yield f"markdown text in all blocks must be less than {MARKDOWN_MOST + 1} characters [json-pointer:{pointer}]"


def drawn(block: Json) -> int:
    """How many blocks Slack makes of one: a `markdown` block becomes one for each heading, fence, table and run."""
    if block["type"] != "markdown":
        return 1
    count, run, fenced, table = 0, False, False, False
    for line in block["text"].splitlines():
        fence, heading = line.lstrip().startswith("```"), re.match(r"#{1,6} ", line)
        rule, row = re.fullmatch(r"\s*([-*_]\s*){3,}", line), line.lstrip().startswith("|")
        if fence:
            count, fenced, run = count + (not fenced), not fenced, False
        elif fenced:
            continue
        elif heading or rule:
            count, run = count + 1, False
        elif row:
            count, run = count + (not table), False
        elif line.strip() and not run:
            count, run = count + 1, True
        table = bool(row) and not fenced
    return max(count, 1)


def check_view(view: Any) -> None:
    """Refuse a view that Slack would refuse."""
    if not isinstance(view, dict):
        raise invalid("missing required field: view")
    home = view.get("type") == "home"
    if view.get("type") not in ("modal", "home"):
        raise invalid(f"unsupported type: {view.get('type')} [json-pointer:/view/type]")
    required = ("blocks",) if home else ("blocks", "title")
    found = [*problems(Shape(VIEW, required, open=True), view, "/view")]
    inputs = any(b.get("type") == "input" for b in view.get("blocks") or [])
    if not home and inputs and not view.get("submit"):
        found.append("missing required field: submit [json-pointer:/view]")
    if home and (view.get("submit") or view.get("close")):
        found.append("invalid additional property: submit [json-pointer:/view]")
    if found:
        raise invalid(*found)
