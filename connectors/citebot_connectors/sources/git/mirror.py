"""Our copy of one branch: brought up to date with as few requests as may be, and read without a working tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from citebot.errors import CursorExpired, Retry, StopSync
from citebot.ports import SourceContext
from citebot_connectors.sources.git.command import Git, GitFailed

HEAD = "refs/citebot/head"
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REGULAR = (b"100644", b"100755", b"100664")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a commit; symbolic links and submodules are none."""

    path: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Touched:
    """The last commit that changed a file."""

    commit: str
    moment: datetime
    author: str


class Mirror:
    """Commands on the copy. Raises `StopSync` for what an admin must mend and `Retry` for a server that is away."""

    def __init__(self, git: Git, ctx: SourceContext, *, url: str, branch: str, path: str) -> None:
        self._git = git
        self._ctx = ctx
        self._url = url
        self._branch = branch
        self._path = path

    def update(self) -> str:
        """Bring the copy up to date; the commit it stands at."""
        branch, commit = self.remote_head()
        if self._has(f"{HEAD}^{{commit}}") != commit:
            self._ctx.progress(f"fetching {branch}")
            self._remote("fetch", "--no-tags", "--no-write-fetch-head", "--force", self._url, f"+{branch}:{HEAD}")
        head = self._has(f"{HEAD}^{{commit}}")
        if head is None:
            raise StopSync(f"{self._url} sent no commit for {branch}.")
        return head

    def remote_head(self) -> tuple[str, str]:
        """Full name and commit of the branch, as the server has it now."""
        wanted = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        said = self._remote("ls-remote", "--symref", "--exit-code", self._url, wanted).decode("utf-8", "replace")
        name, commit = wanted, ""
        for line in said.splitlines():
            value, _, ref = line.partition("\t")
            if value.startswith("ref: "):
                name = value.removeprefix("ref: ")
            elif ref == wanted:
                commit = value
        if not COMMIT.fullmatch(commit):
            raise StopSync(f"{self._url} does not answer like a git server.")
        return name, commit

    def branches(self) -> list[str]:
        """The branches the server has."""
        said = self._remote("ls-remote", "--heads", self._url).decode("utf-8", "replace")
        return [line.partition("\trefs/heads/")[2] for line in said.splitlines()]

    def files(self, commit: str, paths: Sequence[str] = ()) -> Iterator[File]:
        """The files of a commit under the chosen folder, or those of `paths`, in the order of their paths."""
        wanted = [*paths] or ([self._path] if self._path else [])
        said = self._git.run("ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--", *wanted)
        for entry in filter(None, said.split(b"\0")):
            facts, _, path = entry.partition(b"\t")
            mode, _, blob, size = facts.split()
            if mode in _REGULAR and (name := _name(path)) is not None:
                yield File(name, blob.decode(), int(size))

    def changes(self, old: str, new: str) -> Iterator[tuple[str, str | None]]:
        """(path, blob or None when it is no file any more) of everything that differs between two commits.

        Trees are compared, so a rewritten history is no matter as long as the old commit is still in the copy.
        """
        if self._has(f"{old}^{{commit}}") is None:
            raise CursorExpired("The history was rewritten, and the commit read last is gone.")
        folder = ["--", self._path] if self._path else []
        said = self._git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", old, new, *folder)
        parts = iter(said.split(b"\0"))
        for facts in filter(None, parts):
            _, mode, _, blob, _ = facts.split()
            if (path := _name(next(parts))) is not None:
                yield path, blob.decode() if mode in _REGULAR else None

    def touched(self, commit: str, paths: Sequence[str]) -> dict[str, Touched]:
        """By path, the last commit that changed it; merges that changed nothing themselves are passed over."""
        left, found = set(paths), {}
        format = "--format=%x01%H%x02%at%x02%an"
        process = self._git.open("log", format, "--name-only", "-z", "--no-renames", commit, "--", *sorted(left))
        assert process.stdout is not None, "of a pipe"
        try:
            for touched, path in _log(process.stdout):
                if path in left:
                    left.remove(path)
                    found[path] = touched
                if not left:
                    break
        finally:
            process.kill()
            process.communicate()
        return found

    def contents(self, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
        """The bytes of each file."""
        process = self._git.open("cat-file", "--batch")
        assert process.stdin is not None, "of a pipe"
        assert process.stdout is not None, "of a pipe"
        try:
            for file in files:
                process.stdin.write(file.blob.encode() + b"\n")
                process.stdin.flush()
                head = process.stdout.readline().split()
                if len(head) != 3:
                    raise StopSync(f"The copy of {self._url} is damaged: delete its folder, and it is fetched anew.")
                data = process.stdout.read(int(head[2]) + 1)
                yield file, data[:-1]
        finally:
            process.kill()
            process.communicate()

    def _has(self, name: str) -> str | None:
        try:
            return self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", name).decode().strip()
        except GitFailed:
            return None

    def _remote(self, *arguments: str) -> bytes:
        try:
            return self._git.run(*arguments)
        except GitFailed as error:
            raise _explained(self._url, self._branch, str(error)) from error


def _log(stream: Iterator[bytes]) -> Iterator[tuple[Touched, str]]:
    """(commit, path) pairs of `git log -z --name-only`, read as they come."""
    touched: Touched | None = None
    for entry in _between_zeros(stream):
        text = entry.lstrip(b"\n")
        if text.startswith(b"\x01"):
            commit, moment, author = text[1:].split(b"\x02", 2)
            author, _, rest = author.partition(b"\n")
            seconds = datetime.fromtimestamp(int(moment), UTC)
            touched = Touched(commit.decode(), seconds, author.decode("utf-8", "replace"))
            text = rest.lstrip(b"\n")
        if text and touched is not None and (path := _name(text)) is not None:
            yield touched, path


def _between_zeros(stream: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in stream:
        *whole, left = (left + piece).split(b"\0")
        yield from whole
    if left:
        yield left


def _name(path: bytes) -> str | None:
    """The path as text; names that are not UTF-8 cannot be an id."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return None


def _explained(url: str, branch: str, said: str) -> Exception:
    """What git said, as what to do about it."""
    low = said.lower()
    if "could not read username" in low or "authentication failed" in low or "403" in low or "401" in low:
        return StopSync(
            f"{url} does not let us in. Set token to an access token that may read the repository (GitHub: Contents, "
            "read-only; GitLab: read_repository), or check that it has not expired."
        )
    if "not found" in low or "does not exist" in low or "does not appear to be a git repository" in low:
        return StopSync(f"There is no repository at {url}, or the token may not see it.")
    if "redirect" in low or "301" in low or "302" in low:
        return StopSync(f"{url} redirects to another address. Use that one.")
    if "said nothing" in low and branch:
        return StopSync(f"{url} has no branch “{branch}”.")
    if "said nothing" in low:
        return StopSync(f"{url} has no commits yet.")
    if "not valid: is this a git repository" in low or "invalid server response" in low or "protocol" in low:
        return StopSync(f"{url} is a server, but no repository answers there.")
    return Retry(f"{url} cannot be read: {said}")
