"""Our copy of one branch: brought up to date with as few requests as may be, and read without a working tree."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from citebot.errors import CursorExpired, Retry, SourceError, StopSync
from citebot.ports import SourceContext
from citebot_connectors.sources.git.command import SECONDS, Git, GitFailed
from citebot_connectors.sources.git.history import LOG_FORMAT, Past, read_log

HEAD = "refs/citebot/head"
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_STATUS = re.compile(r"returned error: (\d{3})")
_REGULAR = (b"100644", b"100755", b"100664")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a commit; symbolic links and submodules are none."""

    path: str
    blob: str
    size: int


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
            self._fetch(f"+{branch}:{HEAD}")
        head = self._has(f"{HEAD}^{{commit}}")
        if head is None:
            raise StopSync(f"{self._url} sent no commit for {branch}.")
        return head

    def _fetch(self, refspec: str) -> None:
        self._free_locks()
        try:
            self._remote("fetch", "--no-tags", "--no-write-fetch-head", "--force", "--", self._url, refspec)
        except Retry:
            # The server answered just now, so that the copy itself may be what is wrong.
            self._local("fsck", "--connectivity-only", "--no-dangling")
            raise

    def _free_locks(self) -> None:
        """Take away what a run left that was killed: git would wait for it for ever."""
        for name in (f"{HEAD}.lock", "packed-refs.lock"):
            lock = self._git.folder / name
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > SECONDS:
                    lock.unlink()

    def remote_head(self) -> tuple[str, str]:
        """Full name and commit of the branch, as the server has it now."""
        wanted = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        said = self._remote("ls-remote", "--symref", "--exit-code", "--", self._url, wanted).decode("utf-8", "replace")
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
        said = self._remote("ls-remote", "--heads", "--", self._url).decode("utf-8", "replace")
        return [line.partition("\trefs/heads/")[2] for line in said.splitlines()]

    def files(self, commit: str, paths: Sequence[str] = ()) -> Iterator[File]:
        """The files of a commit under the chosen folder, or those of `paths`, in the order of their paths."""
        wanted = [*paths] or ([self._path] if self._path else [])
        said = self._local("ls-tree", "-r", "-z", "--long", "--full-tree", commit, "--", *wanted)
        for entry in filter(None, said.split(b"\0")):
            facts, _, path = entry.partition(b"\t")
            mode, _, blob, size = facts.split()
            if mode not in _REGULAR:
                continue
            if (name := _name(path)) is not None:
                yield File(name, blob.decode(), int(size))
            else:
                self._ctx.log.warning("file left out", file=repr(path)[2:-1], why="its name is not UTF-8")

    def changes(self, old: str, new: str) -> Iterator[tuple[str, str | None]]:
        """(path, blob or None when it is no file any more) of everything that differs between two commits.

        Trees are compared, so a rewritten history is no matter as long as the old commit is still in the copy.
        """
        if self._has(f"{old}^{{commit}}") is None:
            raise CursorExpired("The history was rewritten, and the commit read last is gone.")
        folder = ["--", self._path] if self._path else []
        said = self._local("diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", old, new, *folder)
        parts = iter(said.split(b"\0"))
        for facts in filter(None, parts):
            _, mode, _, blob, _ = facts.split()
            if (path := _name(next(parts))) is not None:
                yield path, blob.decode() if mode in _REGULAR else None

    def pasts(self, commit: str, paths: Sequence[str], *, whole: bool = False) -> dict[str, Past]:
        """What the log says about files, by path; `whole` reads it for all files at once, whatever their number."""
        limits = [self._path] if whole else sorted(paths)
        process = self._git.open(
            "log", LOG_FORMAT, "--name-only", "-z", "--no-renames", commit, "--", *filter(None, limits)
        )
        assert process.stdout is not None, "of a pipe"
        try:
            return read_log(self._pieces(process.stdout), set(paths))
        finally:
            process.kill()
            process.communicate()

    def _pieces(self, stream: IO[bytes]) -> Iterator[bytes]:
        while piece := stream.read(65_536):
            if self._ctx.stop():
                raise StopSync("The run was ended before it was done.")
            yield piece

    def contents(self, files: Sequence[File]) -> Iterator[tuple[File, bytes]]:
        """The bytes of each file."""
        process = self._git.open("cat-file", "--batch")
        assert process.stdin is not None, "of a pipe"
        assert process.stdout is not None, "of a pipe"
        try:
            for file in files:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(file.blob.encode() + b"\n")
                    process.stdin.flush()
                head = process.stdout.readline().split()
                if len(head) != 3 or len(data := process.stdout.read(int(head[2]) + 1)) != int(head[2]) + 1:
                    raise self._damaged("a file cannot be read")
                yield file, data[:-1]
        finally:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

    def _local(self, *arguments: str) -> bytes:
        try:
            return self._git.run(*arguments)
        except GitFailed as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, why: str) -> Retry:
        """Nothing in the copy is the only one, so that it may go."""
        shutil.rmtree(self._git.folder, ignore_errors=True)
        return Retry(f"The copy of {self._url} was damaged ({why}) and is fetched anew with the next run.")

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


def _name(path: bytes) -> str | None:
    """The path as text; names that are not UTF-8 cannot be an id."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return None


def _explained(url: str, branch: str, failure: str) -> SourceError:
    """What git said, as what to do about it."""
    said = failure.replace(url, "").lower()  # an address may hold any of the words looked for
    answer = _STATUS.search(said)
    status = answer[1] if answer else ""
    if "could not read username" in said or "authentication failed" in said or status in ("401", "403"):
        return StopSync(
            f"{url} does not let us in. Set token to an access token that may read the repository (GitHub: Contents, "
            "read-only; GitLab: read_repository), or check that it has not expired."
        )
    if "not found" in said or "does not exist" in said or "does not appear to be a git repository" in said:
        return StopSync(f"There is no repository at {url}, or the token may not see it.")
    if status.startswith("3"):
        return StopSync(f"{url} redirects to another address. Use that one.")
    if "certificate" in said or "ca cert" in said:
        return StopSync(f"{url} shows a certificate that is not trusted. Set ca_file to that of its authority (PEM).")
    if not failure and branch:
        return StopSync(f"{url} has no branch “{branch}”.")
    if not failure:
        return StopSync(f"The branch that {url} calls its HEAD has no commit yet. Wait for the first, or set branch.")
    if "is this a git repository" in said or "invalid server response" in said or "protocol error" in said:
        return StopSync(f"{url} is a server, but no repository answers there.")
    return Retry(f"{url} cannot be read: {failure}")
