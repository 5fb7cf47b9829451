"""Reads the pages of a server that speaks JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, SecretStr

import citebot


class ExampleSettings(BaseModel):
    """Where the pages are."""

    url: str = Field(description="Address of the server.")
    token: SecretStr = Field(description="Token of an account that may read all pages.")
    page_size: int = Field(100, ge=1, le=100, description="Pages asked for at once.")


class ExampleSource:
    """Pages of an Example server."""

    name = "example"
    summary = "Pages of an Example server"
    Settings = ExampleSettings
    spec = citebot.SourceSpec(feed_reports_deletes=True)

    def __init__(self, settings: ExampleSettings, context: citebot.PartContext) -> None:
        self.settings = settings

    def list(self, ctx: citebot.SourceContext, cursor: Any) -> Iterator[citebot.Batch]:
        after = cursor["after"] if isinstance(cursor, dict) and "after" in cursor else ""
        while pages := self.ask(ctx, "pages", after=after, limit=self.settings.page_size):
            after = pages[-1]["id"]
            refs = tuple(citebot.Ref(page["id"], page["version"], self.readers(page).tag) for page in pages)
            yield citebot.Batch(refs, cursor={"after": after})

    def fetch(
        self, ctx: citebot.SourceContext, ids: Sequence[str]
    ) -> Iterator[citebot.Document | citebot.Gone | citebot.Failed]:
        for key in ids:
            try:
                page = self.ask(ctx, "page", id=key)
                yield self.document(page) if page else citebot.Gone(key)
            except citebot.SkipDocument as error:
                yield citebot.Failed(key, str(error))

    def changes(self, ctx: citebot.SourceContext, cursor: Any) -> Iterator[citebot.Batch]:
        if cursor is not None and not (isinstance(cursor, dict) and "entry" in cursor):
            raise citebot.CursorExpired("This is no place in the journal of an Example server.")
        entry, ids = cursor["entry"] if cursor else -1, [""]  # -1: only say where the journal ends now
        while ids:
            found = self.ask(ctx, "changes", since=entry, limit=self.settings.page_size)
            entry, ids = found["next"], found["ids"]
            yield citebot.Batch(tuple(citebot.Ref(key) for key in ids), cursor={"entry": entry})

    def check(self, ctx: citebot.SourceContext) -> Iterator[citebot.Finding]:
        self.ask(ctx, "pages", after="", limit=1)  # raises with what is wrong
        yield citebot.Finding(ok=True, what=f"{self.settings.url} can be read.")

    def document(self, page: dict[str, Any]) -> citebot.Document:
        url, version, updated = page["url"], page["version"], datetime.fromisoformat(page["updated"])
        return citebot.Document(
            page["id"], page["title"], page["text"], self.readers(page), url=url, version=version, updated=updated
        )

    def readers(self, page: dict[str, Any]) -> citebot.Readers:
        return citebot.Readers(frozenset(page["readers"]))

    def ask(self, ctx: citebot.SourceContext, what: str, **params: str | int) -> Any:
        url, token = f"{self.settings.url}/api/{what}", self.settings.token.get_secret_value()
        query = {name: str(value) for name, value in params.items()}
        response = ctx.http.get(url, params=query, headers={"authorization": f"Bearer {token}"})
        if response.status_code >= 500:
            raise citebot.SkipDocument(f"{url} answers {response.status_code}.", document=query.get("id", ""))
        if response.status_code != 200:
            raise citebot.StopSync(f"{url} answers {response.status_code}: check address and token.")
        try:
            return response.json()[what]
        except (ValueError, LookupError, TypeError) as error:
            raise citebot.StopSync(f"{self.settings.url} is no Example server.") from error
