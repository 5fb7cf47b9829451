"""Questions and planned posts as JSON, the form in which inbox and outbox keep them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from citebot.model import Attachment, Conversation, Person, Turn, Visibility
from citebot.ports import Inbound, Outbound


@dataclass(frozen=True, slots=True)
class Post:
    """Something to show: a stored answer, or a sentence that says why there is none."""

    to: Outbound
    answer_id: str = ""
    notice: str = ""
    inquiry: bool = False
    """Not the answer itself, but that people are asked about it."""
    removal: bool = False
    """Nothing is shown, but what was shown for the question is removed."""


def lane(conversation: Conversation) -> str:
    """Digest of where a question was asked; questions of one lane are worked on one at a time, in order."""
    place = [conversation.platform, conversation.tenant, conversation.id, conversation.thread]
    return hashlib.sha256(json.dumps(place).encode()).hexdigest()[:32]


def pack_inbound(inbound: Inbound) -> dict[str, Any]:
    """A question as JSON."""
    return {
        "delivery_id": inbound.delivery_id,
        "message_id": inbound.message_id,
        "conversation": _pack_conversation(inbound.conversation),
        "asker": {"id": inbound.asker.id, "name": inbound.asker.name, "guest": inbound.asker.guest},
        "text": inbound.text,
        "history": [[turn.role, turn.text] for turn in inbound.history],
        "sources": list(inbound.sources),
        **({"unprompted": True} if inbound.unprompted else {}),
        **({"over_budget": True} if inbound.over_budget else {}),
        **({"attachments": [[a.name, a.text, a.whole] for a in inbound.attachments]} if inbound.attachments else {}),
        **({"unread": list(inbound.unread)} if inbound.unread else {}),
        **({"account": inbound.account} if inbound.account else {}),
    }


def unpack_inbound(body: dict[str, Any]) -> Inbound:
    """The question back from JSON."""
    return Inbound(
        delivery_id=body["delivery_id"],
        message_id=body["message_id"],
        conversation=_unpack_conversation(body["conversation"]),
        asker=Person(**body["asker"]),
        text=body["text"],
        history=tuple(Turn(_role(role), text) for role, text in body["history"]),
        sources=tuple(body["sources"]),
        unprompted=bool(body.get("unprompted")),
        over_budget=bool(body.get("over_budget")),
        attachments=tuple(Attachment(*one) for one in body.get("attachments", ())),
        unread=tuple(body.get("unread", ())),
        account=body.get("account", ""),
    )


def pack_post(post: Post) -> dict[str, Any]:
    """A planned post as JSON."""
    return {
        "conversation": _pack_conversation(post.to.conversation),
        "reply_to": post.to.reply_to,
        "idempotency_key": post.to.idempotency_key,
        "answer_id": post.answer_id,
        "notice": post.notice,
        **({"inquiry": True} if post.inquiry else {}),
        **({"removal": True} if post.removal else {}),
        **({"account": post.to.account} if post.to.account else {}),
    }


def unpack_post(body: dict[str, Any]) -> Post:
    """The planned post back from JSON."""
    place = _unpack_conversation(body["conversation"])
    to = Outbound(place, body["reply_to"], body["idempotency_key"], body.get("account", ""))
    inquiry, removal = bool(body.get("inquiry")), bool(body.get("removal"))
    return Post(to, answer_id=body["answer_id"], notice=body["notice"], inquiry=inquiry, removal=removal)


def _pack_conversation(conversation: Conversation) -> dict[str, str]:
    return {name: getattr(conversation, name) for name in ("platform", "id", "tenant", "thread", "visibility")}


def _unpack_conversation(body: dict[str, str]) -> Conversation:
    return Conversation(body["platform"], body["id"], body["tenant"], body["thread"], visibility(body["visibility"]))


def visibility(value: str) -> Visibility:
    """A stored visibility, checked."""
    known: dict[str, Visibility] = {"dm": "dm", "private": "private", "public": "public", "shared": "shared"}
    return known[value]


def _role(value: str) -> Literal["user", "assistant"]:
    return "user" if value == "user" else "assistant"
