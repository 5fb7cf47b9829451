"""The JSON and event-stream half of the web chat."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from citebot.errors import (
    CitebotError,
    DiskFull,
    IndexUnavailable,
    ModelUnavailable,
    NotAllowed,
    StorageError,
    WrongUse,
)
from citebot.model import Conversation, Feedback, Person, Turn
from citebot.ports import Desk, Inbound
from citebot_connectors.platforms.console.auth import Doorkeeper
from citebot_connectors.platforms.console.guard import refuse
from citebot_connectors.platforms.console.present import answer_to_json, document_to_json, source_to_json
from citebot_connectors.platforms.console.requests import FeedbackBody, QuestionBody, clean, read_body
from citebot_connectors.platforms.console.settings import ConsoleSettings
from citebot_connectors.platforms.console.streams import Stream, StreamEvent, Streams, owner_key

PLATFORM = "console"
MAX_WAITING = 8
"""Questions one person may have open at a time."""
WAITING_SECONDS = 600.0
CANNOT_SAVE = "I can't save right now. Please tell whoever runs me."
BEAT_SECONDS = 10.0
"""A silent stream says something this often, so that proxies keep it and we notice readers who left."""

log = structlog.get_logger("citebot.console")
Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """Handlers under `/api/`."""

    def __init__(
        self,
        settings: ConsoleSettings,
        desk: Desk,
        streams: Streams,
        doorkeeper: Doorkeeper,
        *,
        beat: float,
    ) -> None:
        self._settings = settings
        self._desk = desk
        self._streams = streams
        self._doorkeeper = doorkeeper
        self._beat = beat

    def routes(self) -> list[Route]:
        """All routes of the API."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/api/me", self.me),
            ("GET", "/api/sources", self.sources),
            ("POST", "/api/questions", self.ask),
            ("GET", "/api/questions/{question}/events", self.events),
            ("POST", "/api/questions/{question}/stop", self.stop),
            ("GET", "/api/answers/{answer}", self.answer),
            ("POST", "/api/answers/{answer}/feedback", self.feedback),
            ("GET", "/api/passages/{passage}/document", self.document),
        ]
        return [Route(path, _honest(handler), methods=[method]) for method, path, handler in table]

    async def me(self, request: Request) -> Response:
        """Who is asking, and what the page should offer."""
        person: Person = request.state.person
        return JSONResponse(
            {
                "title": self._settings.title,
                "person": person.id,
                "people": [{"id": key, "name": name or key} for key, name in self._settings.people.items()],
                "suggestions": self._settings.suggestions,
                "signed_in": self._doorkeeper.closed,
            }
        )

    async def sources(self, request: Request) -> Response:
        """What an answer to this person is searched in."""
        statuses = await self._desk.sources(request.state.person)
        return JSONResponse({"sources": [source_to_json(status) for status in statuses]})

    async def ask(self, request: Request) -> Response:
        """Store a question, then say so; the answer comes through its event stream."""
        person: Person = request.state.person
        body = await read_body(request, QuestionBody)
        text = clean(body.text)
        if not text:
            raise HTTPException(422, "The question is empty. Write what you want to know.")
        owner, question = owner_key(person.id), body.id or uuid.uuid4().hex
        known = self._streams.find(owner, question)
        if known is None and self._streams.waiting(owner, within=WAITING_SECONDS) >= MAX_WAITING:
            raise HTTPException(429, f"You have {MAX_WAITING} questions waiting. Let one finish, or stop it.")
        stream = known or self._streams.find_or_add(owner, question)
        try:
            stream.job = await self._desk.accept(_inbound(body, text, person, question))
        except BaseException:
            if stream.job is None:
                self._streams.drop(stream)
            raise
        return JSONResponse({"id": question, "events": f"/api/questions/{question}/events"}, status_code=202)

    async def events(self, request: Request) -> Response:
        """The answer as it is written, or as it was stored; goes on after `Last-Event-ID`."""
        stream = self._stream(request)
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 10 else 0
        return StreamingResponse(
            self._follow(stream, request.state.person, after),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _follow(self, stream: Stream, person: Person, after: int) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        if stream.answer_id:
            # Shown before: the desk says what of it may be seen now.
            stored = await self._desk.show_answer(stream.answer_id, person)
            data = {"answer": answer_to_json(stored)} if stored else {"notice": "This answer is no longer available."}
            yield _lines(StreamEvent(0, "done" if stored else "failed", data))
            return
        if stream.held and not stream.ended:
            # As above, and what follows it.
            after = stream.last
            stored = await self._desk.show_answer(stream.held, person)
            if stored is not None:
                yield _lines(StreamEvent(after, "for_now", {"answer": answer_to_json(stored)}))
        if stream.untouched:
            await self._look_for_stored(stream, person)
        async for event in stream.follow(after, patience=self._beat):
            if event is not None:
                yield _lines(event)
                continue
            yield ": still here\n\n"
            await self._look_for_stored(stream, person)

    async def _look_for_stored(self, stream: Stream, person: Person) -> None:
        # Answered by another process, or just before this one was restarted.
        if stream.job is None:
            return
        stored = await self._desk.answer_to(stream.job, person)
        if stored is not None and not stream.ended:
            stream.end_with(stored)

    async def stop(self, request: Request) -> Response:
        """Stop an answer that is being written."""
        stream = self._stream(request)
        if stream.job is not None and not stream.ended:
            await self._desk.stop(stream.job)
        return JSONResponse({"stopped": True}, status_code=202)

    async def answer(self, request: Request) -> Response:
        """A stored answer, as this person may see it now."""
        stored = await self._desk.show_answer(_short(request.path_params["answer"]), request.state.person)
        if stored is None:
            raise HTTPException(404, "There is no such answer, or it is not yours to see.")
        return JSONResponse(answer_to_json(stored))

    async def feedback(self, request: Request) -> Response:
        """Keep what a reader thought."""
        answer_id = _short(request.path_params["answer"])
        body = await read_body(request, FeedbackBody)
        person: Person = request.state.person
        await self._desk.give_feedback(Feedback(answer_id, person, body.verdict, clean(body.reason)))
        return JSONResponse({"kept": True})

    async def document(self, request: Request) -> Response:
        """The document around a cited passage."""
        number = request.path_params["passage"]
        if not (number.isascii() and number.isdigit() and len(number) <= 18):
            raise HTTPException(404, "There is no such passage, or it is not yours to read.")
        view = await self._desk.show_document(int(number), request.state.person)
        if view is None:
            raise HTTPException(404, "This document is gone, or it is not yours to read.")
        return JSONResponse(document_to_json(view, int(number)))

    def _stream(self, request: Request) -> Stream:
        stream = self._streams.find(owner_key(request.state.person.id), request.path_params["question"])
        if stream is None:
            raise HTTPException(404, "There is no such question here.")
        return stream


def _inbound(body: QuestionBody, text: str, person: Person, question: str) -> Inbound:
    owner = owner_key(person.id)
    return Inbound(
        # Two people may choose the same id; each has their own.
        delivery_id=f"{owner}.{question}",
        message_id=question,
        conversation=Conversation(platform=PLATFORM, id=f"{owner}.{body.conversation or question}"),
        asker=person,
        text=text,
        history=tuple(Turn(turn.role, clean(turn.text)) for turn in body.history),
        sources=tuple(body.sources),
    )


def _lines(event: StreamEvent) -> str:
    # JSON keeps line ends escaped, so that one event is always one data line.
    number = f"id: {event.id}\n" if event.id else ""
    return f"{number}event: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n"


def _short(text: str) -> str:
    if len(text) > 64 or not text.isascii() or not text.isprintable():
        raise HTTPException(404, "There is no such answer, or it is not yours to see.")
    return text


def _honest(handler: Handler) -> Handler:
    """Turn our errors into one line with the right status."""
    statuses: list[tuple[type[CitebotError], int]] = [
        (WrongUse, 400),
        (NotAllowed, 403),
        (StorageError, 503),
        (IndexUnavailable, 503),
        (ModelUnavailable, 503),
        (CitebotError, 500),
    ]

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except HTTPException:
            raise
        except CitebotError as error:
            status = next(status for kind, status in statuses if isinstance(error, kind))
            log.warning("request failed", path=request.url.path, error=str(error))
            return refuse(status, CANNOT_SAVE if isinstance(error, DiskFull) else str(error))
        except Exception:  # a person waits behind every request: they get a line, the log the rest
            log.exception("request failed", path=request.url.path)
            return refuse(500, "Something went wrong inside Citebot. The log of the server says more.")

    return handle
