"""A branch of a repository as a source: ids are paths, versions are blobs, the change feed is the diff of two commits.

A path is an id although files move: git itself knows no other, and a moved file is a deletion and a new document.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from citebot.errors import CursorExpired, SourceError
from citebot.model import Batch, Document, Failed, Finding, Gone, Json, Ref
from citebot.ports import PartContext, SourceContext, SourceSpec
from citebot_connectors.sources.batching import batched
from citebot_connectors.sources.file_documents import file_document
from citebot_connectors.sources.git.command import Git
from citebot_connectors.sources.git.history import Past
from citebot_connectors.sources.git.links import line_anchor_for, link, pattern_for
from citebot_connectors.sources.git.mirror import COMMIT, File, Mirror
from citebot_connectors.sources.git.settings import GitSettings

BATCH = 1_000
FEW = 50
_LFS = b"version https://git-lfs.github.com/spec/"


class GitSource:
    """Reads a repository."""

    name: ClassVar[str] = "git"
    summary: ClassVar[str] = "A branch of a git repository, wikis included"
    Settings: ClassVar[type[BaseModel]] = GitSettings
    spec: ClassVar[SourceSpec] = SourceSpec(feed_reports_deletes=True, id_example="docs/handbook/leave.md")

    def __init__(self, settings: GitSettings, context: PartContext) -> None:
        self._settings = settings
        self._pattern = settings.web or pattern_for(settings.url)
        self._line_anchor = settings.line_anchor or line_anchor_for(self._pattern)
        told = settings.model_dump_json(exclude={"token", "user"})
        # Part of every version and of the cursor: other settings mean that every file is looked at again.
        self._tag = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._commit = ""
        self._pasts: dict[str, Past] | None = None

    def check(self, ctx: SourceContext) -> Iterable[Finding]:
        settings = self._settings
        try:
            mirror = self._mirror(ctx)
            branches = mirror.branches()
            if settings.branch and settings.branch not in branches:
                near = get_close_matches(settings.branch, branches, 1) or branches[:5]
                yield Finding(
                    ok=False,
                    what=f"{settings.url} has no branch “{settings.branch}”.",
                    fix=f"It has: {', '.join(near)}." if near else "It has no branches yet.",
                )
                return
            found = sum(1 for _ in self._wanted(mirror.files(self._updated(mirror))))
        except SourceError as error:
            yield Finding(ok=False, what=str(error))
            return
        if not found:
            where = f"the folder {settings.path} of " if settings.path else ""
            wanted = ", ".join(settings.include)
            yield Finding(
                ok=False,
                what=f"There is no file that matches {wanted} in {where}{settings.url}.",
                fix="Check path and include.",
            )
            return
        yield Finding(ok=True, what=f"{found:,} files in {settings.url} at {self._commit[:10]}")
        yield Finding(ok=True, what=f"Readers of what no rule names: {', '.join(settings.readers) or 'nobody'}")
        if settings.token.get_secret_value() and settings.url.startswith("http:"):
            yield Finding(ok=True, what="The token is sent unencrypted: use the https address if there is one.")
        if not self._pattern:
            yield Finding(ok=True, what="Citations have no links: set web to the address of a file for people.")

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        mirror = self._mirror(ctx)
        refs = (Ref(file.path, file.blob, self._tag) for file in self._wanted(mirror.files(self._updated(mirror))))
        empty = True
        for some in batched(refs, BATCH):
            empty = False
            yield Batch(some)
        if empty:
            yield Batch(())

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        mirror = self._mirror(ctx)
        commit = self._updated(mirror)
        files = {file.path: file for file in self._wanted(mirror.files(commit, ids)) if file.path in set(ids)}
        small = [file for file in files.values() if file.size <= self._settings.max_file_bytes]
        pasts = self._past_of(mirror, commit, list(files))
        for one in ids:
            if one not in files:
                yield Gone(one)
            elif files[one].size > self._settings.max_file_bytes:
                yield Failed(one, f"{one} has {files[one].size:,} bytes, more than max_file_bytes.", permanent=True)
        for file, data in mirror.contents(small):
            yield self._document(ctx, file, data, commit, pasts.get(file.path))

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        mirror = self._mirror(ctx)
        new = self._updated(mirror)
        here: dict[str, Json] = {"commit": new, "settings": self._tag}
        if cursor is None:
            yield Batch((), here)
            return
        old = self._commit_of(cursor)
        items = (
            Gone(path) if blob is None else Ref(path, blob, self._tag)
            for path, blob in (mirror.changes(old, new) if old != new else ())
            if self._settings.wants(path)
        )
        for some in batched(items, BATCH):
            yield Batch(some, cursor)  # until the last of them is stored, the old commit is where to go on from
        yield Batch((), here)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _mirror(self, ctx: SourceContext) -> Mirror:
        settings = self._settings
        folder = ctx.state_dir / "mirror.git"
        parts = urlsplit(settings.url)
        own: list[str] = [f"http.sslCAInfo={settings.ca_file}"] if settings.ca_file else []
        if parts.scheme in ("http", "https") and parts.hostname:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            # git connects by itself: to the address that was checked, and to no other.
            address = ctx.http.resolve(parts.hostname, port)
            if not _is_address(parts.hostname):
                own.append(
                    f"http.curloptResolve={parts.hostname}:{port}:{f'[{address}]' if ':' in address else address}"
                )
        git = Git(folder, stop=ctx.stop, user=settings.user, token=settings.token, url=settings.url, settings=own)
        if not (folder / "HEAD").exists():
            git.run("init", "--quiet", "--bare")
        return Mirror(git, ctx, url=settings.url, branch=settings.branch, path=settings.path)

    def _updated(self, mirror: Mirror) -> str:
        """The commit of this run: the server is asked once, so that listing and fetching see the same files."""
        if not self._commit:
            self._commit = mirror.update()
        return self._commit

    def _past_of(self, mirror: Mirror, commit: str, paths: Sequence[str]) -> dict[str, Past]:
        """Few files are looked for by name; many mean that the whole listing is read: one pass serves them all."""
        if self._pasts is None and len(paths) <= FEW:
            return mirror.pasts(commit, paths)
        if self._pasts is None:
            wanted = [file.path for file in self._wanted(mirror.files(commit))]
            self._pasts = mirror.pasts(commit, wanted, whole=True)
        return self._pasts

    def _wanted(self, files: Iterable[File]) -> Iterator[File]:
        return (file for file in files if self._settings.wants(file.path))

    def _commit_of(self, cursor: Any) -> str:
        commit = cursor.get("commit", "") if isinstance(cursor, dict) else ""
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise CursorExpired("The stored position is none of this source.")
        if cursor.get("settings") != self._tag:
            raise CursorExpired("The settings have changed since.")
        return commit

    def _document(
        self, ctx: SourceContext, file: File, data: bytes, commit: str, past: Past | None
    ) -> Document | Failed:
        if data.startswith(_LFS) and len(data) < 1024:
            return Failed(file.path, f"{file.path} is kept in Git LFS, which is not read.", permanent=True)
        return file_document(
            self._settings,
            ctx,
            file.path,
            data,
            version=file.blob,
            updated=past.last.moment if past else None,
            created=past.created if past else None,
            authors=past.authors if past else (),
            url=link(self._pattern, commit=past.last.id if past else commit, path=file.path),
            line_anchor=self._line_anchor,
        )


def _is_address(host: str) -> bool:
    """Whether it is no name: then there is nothing to look up, and nothing to pin."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
