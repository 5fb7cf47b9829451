"""What the page may send, with limits; everything else is refused in one line."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

MAX_BODY = 256 * 1024
MAX_QUESTION = 20_000
MAX_TURNS = 20
READ_SECONDS = 15.0

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Body(BaseModel):
    """JSON with exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class TurnBody(Body):
    """One earlier message."""

    role: Literal["user", "assistant"]
    text: str = Field(max_length=MAX_QUESTION)


class QuestionBody(Body):
    """POST /api/questions."""

    text: str = Field(max_length=MAX_QUESTION)
    id: Key | None = None
    """Made by the client, so that asking again after a broken connection is the same question."""
    conversation: Key | None = None
    history: list[TurnBody] = Field([], max_length=MAX_TURNS)
    sources: list[Name] = Field([], max_length=100)


class FeedbackBody(Body):
    """POST /api/answers/{id}/feedback."""

    verdict: Literal["helpful", "not_helpful"]
    reason: str = Field("", max_length=2000)


B = TypeVar("B", bound=Body)


async def read_body(request: Request, kind: type[B]) -> B:
    """The JSON of a request, validated."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        # A form of another page cannot send this type without the browser asking us first.
        raise HTTPException(415, "Send JSON with Content-Type: application/json.")
    try:
        return kind.model_validate_json(await read_bytes(request))
    except ValidationError as error:
        raise HTTPException(*_complaint(error)) from error


async def read_bytes(request: Request, limit: int = MAX_BODY) -> bytes:
    """The body of a request, as long as it is short and comes in time."""
    declared = request.headers.get("content-length", "0")
    too_large = HTTPException(413, f"The request is larger than {limit // 1024} kB.")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > limit:
                    raise too_large
    except TimeoutError as error:
        raise HTTPException(408, "The request did not arrive in time.") from error
    return bytes(body)


def clean(text: str) -> str:
    """Text without characters no database or terminal should meet; line ends as one kind."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in text if c in "\n\t" or (c >= " " and c != "\x7f")).strip()


def _complaint(error: ValidationError) -> tuple[int, str]:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:80]
    if first["type"] == "json_invalid":
        return 400, "The request is not valid JSON."
    if first["type"] in ("string_too_long", "too_long"):
        return 413, f"“{where}” is too long: at most {first['ctx']['max_length']} are allowed."
    return 422, f"“{where}”: {first['msg']}." if where else f"{first['msg']}."
