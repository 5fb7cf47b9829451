"""The source `git` on real repositories, by path and over http from git's own server side."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from citebot.egress import SourceHttp
from citebot.errors import CursorExpired, Retry, SourceError, StopSync
from citebot.model import Document, Failed, Gone, Ref
from citebot.ports import PartContext, SourceContext
from citebot.settings import EgressSettings
from citebot.testing.local_server import LocalServer, Received, Sent, local_server
from citebot_connectors.sources.git import GitSource, command
from citebot_connectors.sources.git.links import line_anchor_for, link, pattern_for
from citebot_connectors.sources.git.mirror import _explained

TOKEN = "ghp_averysecrettoken123"


class Repo:
    """A working copy that commits and pushes."""

    def __init__(self, folder: Path) -> None:
        self.bare = folder / "team.git"
        self.work = folder / "work"
        folder.mkdir(parents=True, exist_ok=True)
        self._git("init", "-q", "--bare", "-b", "main", str(self.bare), at=folder)
        self._git("init", "-q", "-b", "main", str(self.work), at=folder)
        self._git("remote", "add", "origin", str(self.bare))
        self.commit({"README.md": "# Handbook\n\nWelcome.", "docs/leave.md": "# Leave\n\n26 days."})

    def _git(self, *arguments: str, at: Path | None = None) -> str:
        env = {
            "PATH": os.environ["PATH"],
            **{f"GIT_{who}_{what}": v for who in ("AUTHOR", "COMMITTER") for what, v in PERSON.items()},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "HOME": str(self.work),
        }
        done = subprocess.run(
            ["git", *arguments], cwd=at or self.work, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str | bytes | None], *, push: bool = True) -> str:
        for name, content in files.items():
            path = self.work / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self._git("add", "-A")
        self._git("commit", "-q", "--allow-empty", "-m", "change")
        if push:
            self._git("push", "-q", "--force", "origin", "HEAD")
        return self.head()

    def head(self) -> str:
        return self._git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        return self._git(*arguments)


PERSON = {"NAME": "Ada", "EMAIL": "ada@example.org", "DATE": "2026-03-01T12:00:00Z"}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "remote")


@pytest.fixture
def ctx(source_context: SourceContext) -> Iterator[SourceContext]:
    settings = EgressSettings(allow=["127.0.0.0/8"], requests_per_second=1000)
    with closing(SourceHttp(settings, source="git", stop=lambda: False)) as http:
        yield replace(source_context, http=http)


Make = Callable[..., GitSource]


@pytest.fixture
def make(repo: Repo, tmp_path: Path) -> Make:
    def made(**values: Any) -> GitSource:
        settings = GitSource.Settings.model_validate({"url": str(repo.bare), **values})
        return GitSource(settings, PartContext(tmp_path))  # type: ignore[arg-type]

    return made


def listed(source: GitSource, ctx: SourceContext) -> dict[str, str]:
    items = [item for batch in source.list(ctx, None) for item in batch.items]
    return {item.id: item.version for item in items if isinstance(item, Ref)}


def fetched(source: GitSource, ctx: SourceContext, *ids: str) -> dict[str, Document | Gone | Failed]:
    return {item.id: item for item in source.fetch(ctx, ids)}


def documents(found: dict[str, Document | Gone | Failed]) -> dict[str, Document]:
    assert all(isinstance(item, Document) for item in found.values()), found
    return {one: item for one, item in found.items() if isinstance(item, Document)}


def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of every program that is started from here on."""
    seen: list[list[str]] = []
    started = subprocess.Popen.__init__

    def watching(self: Any, args: Any, **options: Any) -> None:
        seen.append(list(args))
        started(self, args, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", watching)
    return seen


def now(source: GitSource, ctx: SourceContext) -> Any:
    (batch,) = source.changes(ctx, None)
    return batch.cursor


def changed(source: GitSource, ctx: SourceContext, cursor: Any) -> tuple[dict[str, type], Any]:
    batches = list(source.changes(ctx, cursor))
    return {item.id: type(item) for batch in batches for item in batch.items}, batches[-1].cursor


def test_files_of_the_branch_become_documents(repo: Repo, make: Make, ctx: SourceContext) -> None:
    first = repo.head()
    repo.commit({"notes.txt": "Line one.\n\nLine three."})
    source = make(web="https://git.example/{commit}/{path}")
    assert set(listed(source, ctx)) == {"README.md", "docs/leave.md", "notes.txt"}
    found = fetched(source, ctx, "docs/leave.md", "notes.txt", "gone.md")
    leave, notes = found["docs/leave.md"], found["notes.txt"]
    assert isinstance(leave, Document)
    assert (leave.title, leave.path, leave.authors) == ("Leave", ("docs",), ("Ada",))
    assert leave.url == f"https://git.example/{first}/docs/leave.md", "the commit that touched it last"
    assert leave.updated is not None
    assert leave.updated.isoformat() == "2026-03-01T12:00:00+00:00"
    assert isinstance(notes, Document)
    assert notes.line_anchor == "L{line}"
    assert notes.created == notes.updated == leave.created
    assert found["gone.md"] == Gone("gone.md")


def test_only_what_changed_is_in_the_diff(repo: Repo, make: Make, ctx: SourceContext) -> None:
    cursor = now(make(), ctx)
    repo.git("mv", "README.md", "WELCOME.md")
    repo.commit({"docs/leave.md": None, "docs/new.md": "New.", "picture.png": b"\x89PNG"})
    items, after = changed(make(), ctx, cursor)
    assert items == {"README.md": Gone, "WELCOME.md": Ref, "docs/leave.md": Gone, "docs/new.md": Ref}
    assert changed(make(), ctx, after) == ({}, after)


def test_a_rewritten_history_is_compared_and_one_that_is_gone_is_listed(
    repo: Repo, make: Make, ctx: SourceContext
) -> None:
    repo.commit({"second.md": "2"})
    cursor = now(make(), ctx)
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit({"other.md": "3"})
    assert changed(make(), ctx, cursor)[0] == {"second.md": Gone, "other.md": Ref}
    for foreign in ({"commit": "0" * 40, "settings": cursor["settings"]}, {"commit": "--all"}, {"page": 3}, "x", 7):
        with pytest.raises(CursorExpired):
            changed(make(), ctx, foreign)
    with pytest.raises(CursorExpired, match="settings"):
        changed(make(exclude=["docs/*"]), ctx, cursor)


def test_branch_folder_and_patterns_choose(repo: Repo, make: Make, ctx: SourceContext, tmp_path: Path) -> None:
    repo.git("checkout", "-q", "-b", "next")
    repo.commit({"docs/deep/er.md": "x", "docs/draft.md": "x", "docs/.hidden.md": "x", "main.py": "x"})
    assert set(listed(make(branch="next", path="docs", exclude=["*draft*"]), ctx)) == {
        "docs/leave.md",
        "docs/deep/er.md",
    }
    assert set(listed(make(branch="main", include=["*.md"]), ctx)) == {"README.md", "docs/leave.md"}
    assert set(listed(make(branch="next", include=["*.py"]), ctx)) == {"main.py"}


def test_links_submodules_and_large_files_are_left_out(repo: Repo, make: Make, ctx: SourceContext) -> None:
    (repo.work / "link.md").symlink_to("/etc/passwd")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head()},module.md")
    repo.commit(
        {
            "lfs.md": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
            "big.md": "x" * 2_000_000,
            "empty.md": "",
            "bin.txt": b"\x00\x01\x02" * 500,
        }
    )
    source = make(max_file_bytes=1_000_000)
    assert not {"link.md", "module.md"} & set(listed(source, ctx))
    found = fetched(source, ctx, "lfs.md", "big.md", "empty.md", "bin.txt", "link.md")
    assert isinstance(found["lfs.md"], Failed)
    assert "Git LFS" in found["lfs.md"].why
    assert isinstance(found["big.md"], Failed)
    assert isinstance(found["bin.txt"], Failed)
    assert isinstance(found["empty.md"], Document)
    assert found["link.md"] == Gone("link.md")


def test_odd_names_are_names(repo: Repo, make: Make, ctx: SourceContext) -> None:
    names = [
        "Ümläut & co.md",
        "日本語.md",
        "a b\tc.md",
        "[x]*?.md",
        "-dash.md",
        ":(top)x.md",
        'quo"te.md',
        "\nlead.md",
        "\x01ctl.md",
        "new\nline.md",
    ]
    repo.commit({name: f"# {number}" for number, name in enumerate(names)})
    source = make()
    assert set(names) <= set(listed(source, ctx))
    found = fetched(source, ctx, *names)
    assert [getattr(found[name], "title", None) for name in names] == [str(number) for number in range(len(names))]


def test_a_name_that_is_no_text_is_left_out_and_logged(repo: Repo, make: Make, ctx: SourceContext) -> None:
    Path(os.fsdecode(os.fsencode(repo.work) + b"/caf\xe9.md")).write_text("x")
    repo.commit({})
    with capture_logs() as log:
        assert set(listed(make(), ctx)) == {"README.md", "docs/leave.md"}
    assert [line["file"] for line in log if line["event"] == "file left out"] == [r"caf\xe9.md"]


@pytest.mark.parametrize("few", [0, 50])
def test_created_updated_and_authors_come_from_the_log(
    few: int, repo: Repo, make: Make, ctx: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name for a few files, in one pass over everything for many."""
    monkeypatch.setattr("citebot_connectors.sources.git.source.FEW", few)
    monkeypatch.setitem(PERSON, "NAME", "Bo")
    monkeypatch.setitem(PERSON, "DATE", "2026-04-02T12:00:00Z")
    names = ["docs/leave.md", "\nlead.md", "\x01ctl.md", "späte.md"]
    commit = repo.commit(dict.fromkeys(names, "# Edited"))
    found = fetched(make(web="{commit}/{path}"), ctx, *names, "README.md")
    told = {one: (item.authors, f"{item.created:%m}", f"{item.updated:%m}") for one, item in documents(found).items()}
    assert told.pop("docs/leave.md") == (("Bo", "Ada"), "03", "04")
    assert told.pop("README.md") == (("Ada",), "03", "03")
    assert told == dict.fromkeys(names[1:], (("Bo",), "04", "04"))
    assert documents(found)["docs/leave.md"].url == f"{commit}/docs/leave.md"


def test_many_files_are_one_pass(repo: Repo, make: Make, ctx: SourceContext, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({f"page-{number}.md": "x" for number in range(120)})
    source = make()
    ids = list(listed(source, ctx))
    started = commands(monkeypatch)
    for first in range(0, len(ids), 60):
        assert len(documents(fetched(source, ctx, *ids[first : first + 60]))) == len(ids[first : first + 60])
    assert sum("log" in arguments for arguments in started) == 1


def test_a_merge_that_changed_nothing_itself_is_not_the_author(repo: Repo, make: Make, ctx: SourceContext) -> None:
    repo.git("checkout", "-q", "-b", "side")
    side = repo.commit({"side.md": "x"})
    repo.git("checkout", "-q", "main")
    repo.commit({"other.md": "y"})
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "side")
    repo.git("push", "-q", "origin", "HEAD")
    found = fetched(make(web="{commit}"), ctx, "side.md")["side.md"]
    assert isinstance(found, Document)
    assert found.url == side


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"url": "/nowhere/at/all"}, "no repository"),
        ({"branch": "mian"}, "no branch “mian”"),
        ({"path": "nothing"}, "no file that matches"),
        ({"include": ["*.rst"]}, "no file that matches"),
    ],
)
def test_a_check_says_what_is_wrong(values: dict[str, Any], complaint: str, make: Make, ctx: SourceContext) -> None:
    bad = [finding for finding in make(**values).check(ctx) if not finding.ok]
    assert complaint in bad[0].what
    if "branch" in values:
        assert "main" in bad[0].fix


def test_a_check_that_finds_nothing_wrong_counts(make: Make, ctx: SourceContext) -> None:
    findings = list(make().check(ctx))
    assert all(finding.ok for finding in findings)
    assert findings[0].what.startswith("2 files in ")


def test_an_empty_repository_is_not_an_empty_listing(tmp_path: Path, make: Make, ctx: SourceContext) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "empty.git")], check=True)
    with pytest.raises(StopSync, match="no commit yet"):
        listed(make(url=str(tmp_path / "empty.git")), ctx)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "git@github.com:team/wiki.git",
            "ssh://git@host/x",
            "git://host/x",
            "ext::sh -c touch% /tmp/x",
            "--upload-pack=x",
        ),
        *("https://user:token@host/x", "https://token@host/x", "ftp://host/x", "", "fd::17/x"),
        # hosts that git and we could understand differently
        *("https://münchen.example/x", "https://host./x", "https://ho%73t/x", "https://a b/x", "https://host:99999/x"),
        *("https://host\\@127.0.0.1/x", "https://ho\nst/x", "https:///x", "https://HOST/x", "https://[::1/x"),
    ],
)
def test_addresses_that_cannot_or_must_not_be_used_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        GitSource.Settings.model_validate({"url": url})


def test_a_path_is_meant_from_where_it_was_written(
    repo: Repo, make: Make, ctx: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo.bare.parent)
    source = make(url=repo.bare.name)
    monkeypatch.chdir("/")
    assert listed(source, ctx)


@pytest.mark.parametrize("branch", ["*", "main:refs/heads/x", "a..b", "-x", "a b", "HEAD~1", "@{-1}"])
def test_a_branch_is_a_name_and_no_expression(branch: str) -> None:
    with pytest.raises(ValidationError, match="name of one branch"):
        GitSource.Settings.model_validate({"url": "/srv/x.git", "branch": branch})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/team/docs.git", "https://github.com/team/docs/blob/c0/a%20b.md"),
        ("https://gitlab.example.org/g/s/docs", "https://gitlab.example.org/g/s/docs/-/blob/c0/a%20b.md"),
        ("https://codeberg.org/team/docs.git", "https://codeberg.org/team/docs/src/commit/c0/a%20b.md"),
        ("https://github.com/team/docs.wiki.git", "https://github.com/team/docs/wiki/a%20b"),
        ("https://git.corp/x.git", ""),
        ("/srv/x.git", ""),
    ],
)
def test_links_are_guessed_from_the_host(url: str, expected: str) -> None:
    assert link(pattern_for(url), commit="c0", path="a b.md") == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://bitbucket.org/team/docs", "lines-{line}"),
        ("https://github.com/team/docs", "L{line}"),
        ("https://github.com/team/docs.wiki.git", ""),
        ("https://git.corp/docs", ""),
    ],
)
def test_lines_are_named_as_the_host_does(url: str, expected: str) -> None:
    assert line_anchor_for(pattern_for(url)) == expected


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("https://wiki.test/x.git", "http.curloptResolve=wiki.test:443:[2001:db8::1]"),
        ("http://[2001:db8::1]:8080/x.git", None),
    ],
)
def test_an_address_of_the_sixth_version_is_pinned_in_brackets(
    url: str, pinned: str | None, make: Make, ctx: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Six:
        def resolve(self, host: str, port: int) -> str:
            return "2001:db8::1"

    started = commands(monkeypatch)
    make(url=url)._mirror(replace(ctx, http=Six()))  # type: ignore[arg-type]
    assert [part for part in started[0] if part.startswith("http.curloptResolve")] == ([pinned] if pinned else [])


# --- over http -----------------------------------------------------------------------------------------------------


def backend(repo: Repo, *, token: str = TOKEN) -> Callable[[Received], Sent]:
    """git's own server side, behind a door that wants the token."""
    wanted = "Basic " + base64.b64encode(f"citebot:{token}".encode()).decode()

    def answer(received: Received) -> Sent:
        if token and received.headers.get("authorization") != wanted:
            return Sent("who?", status=401, headers={"www-authenticate": 'Basic realm="git"'})
        query = "&".join(f"{name}={value}" for name, value in received.query.items())
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(repo.bare.parent),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": received.path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": received.method,
            "CONTENT_TYPE": received.headers.get("content-type", ""),
            "HTTP_CONTENT_ENCODING": received.headers.get("content-encoding", ""),
            "HTTP_GIT_PROTOCOL": received.headers.get("git-protocol", ""),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        done = subprocess.run(["git", "http-backend"], env=env, input=received.body, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        status = int(headers.pop("Status", "200").split()[0])
        return Sent(body, status=status, headers=headers)

    return answer


@pytest.fixture
def server(repo: Repo) -> Iterator[LocalServer]:
    with local_server(backend(repo)) as served:
        yield served


def test_a_repository_is_read_over_http_with_a_token(
    server: LocalServer, repo: Repo, make: Make, ctx: SourceContext
) -> None:
    url = f"{server.url}/team.git"
    source = make(url=url, token=TOKEN)
    assert set(listed(source, ctx)) == {"README.md", "docs/leave.md"}
    cursor = now(make(url=url, token=TOKEN), ctx)
    repo.commit({"new.md": "x"})
    assert changed(make(url=url, token=TOKEN), ctx, cursor)[0] == {"new.md": Ref}


def test_a_poll_without_change_takes_two_requests(server: LocalServer, make: Make, ctx: SourceContext) -> None:
    cursor = now(make(url=f"{server.url}/team.git", token=TOKEN), ctx)
    server.received.clear()
    assert changed(make(url=f"{server.url}/team.git", token=TOKEN), ctx, cursor) == ({}, cursor)
    answered = [received for received in server.received if "authorization" in received.headers]
    assert len(answered) == len(server.received), "the token is sent at once"
    assert len(server.received) <= 2


@pytest.mark.parametrize("token", ["", "wrong-token-wrong"])
def test_without_the_right_token_it_says_which_right_is_missing(
    token: str, server: LocalServer, make: Make, ctx: SourceContext
) -> None:
    source = make(url=f"{server.url}/team.git", token=token)
    (finding,) = source.check(ctx)
    assert not finding.ok
    assert "does not let us in" in finding.what
    assert "read" in finding.what
    with pytest.raises(StopSync):
        listed(source, ctx)


def test_the_token_is_in_no_argument_log_or_complaint(repo: Repo, make: Make, ctx: SourceContext) -> None:
    """Arguments are read from the system while the server is being asked: git starts programs of its own."""
    real, arguments = backend(repo), set[bytes]()

    def looking(received: Received) -> Sent:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                arguments.add(process.read_bytes())
        return real(received)

    with local_server(looking) as server, capture_logs() as log:
        source = make(url=f"{server.url}/team.git", token=TOKEN)
        findings = [*source.check(ctx), *make(url=f"{server.url}/none.git", token=TOKEN).check(ctx)]
        fetched(source, ctx, "README.md")
        assert any("unencrypted" in finding.what for finding in findings)
        assert any(b"git-remote-http" in line and str(server.port).encode() in line for line in arguments)
    encoded = base64.b64encode(f"citebot:{TOKEN}".encode()).decode()
    told = " ".join([*(line.decode("utf-8", "replace") for line in arguments), repr(log), repr(findings)])
    assert TOKEN not in told
    assert encoded not in told
    assert "no repository" in findings[-1].what


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (Sent("<html>Welcome, please sign in</html>", headers={"content-type": "text/html"}), SourceError),
        (Sent(status=503), Retry),
        (Sent(status=302, headers={"location": "http://169.254.169.254/x"}), StopSync),
        (Sent(status=404), StopSync),
    ],
)
def test_a_server_that_is_something_else_removes_nothing(
    sent: Sent, error: type[Exception], make: Make, ctx: SourceContext
) -> None:
    with local_server(lambda received: sent) as other, pytest.raises(error) as told:
        listed(make(url=f"{other.url}/team.git"), ctx)
    assert len(str(told.value).splitlines()) == 1
    assert all(urlsplit(f"http://x{received.path}").path.startswith("/team.git") for received in other.received)


def test_a_redirect_is_not_followed(server: LocalServer, make: Make, ctx: SourceContext) -> None:
    """Neither the token nor a request goes to where the guard has not looked."""

    def away(received: Received) -> Sent:
        query = "&".join(f"{name}={value}" for name, value in received.query.items())
        return Sent(status=302, headers={"location": f"{server.url}{received.path}?{query}"})

    with local_server(away) as other, pytest.raises(StopSync, match="redirects to another address"):
        listed(make(url=f"{other.url}/team.git", token=TOKEN), ctx)
    assert server.received == []


def test_an_address_inside_is_refused_before_git_connects(make: Make, source_context: SourceContext) -> None:
    with local_server(lambda received: Sent("secret")) as inside:
        with closing(SourceHttp(EgressSettings(), source="git", stop=lambda: False)) as http:
            closed = replace(source_context, http=http)
            with pytest.raises(StopSync, match=r"egress\.allow"):
                listed(make(url=f"{inside.url}/team.git"), closed)
        assert inside.received == []


def test_a_name_is_looked_up_once_and_pinned(
    server: LocalServer, make: Make, ctx: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wiki.test` exists nowhere: git reaches it only by the address it is told."""

    class Pinning:
        def resolve(self, host: str, port: int) -> str:
            assert host == "wiki.test"
            return "127.0.0.1"

    pinned = replace(ctx, http=Pinning())  # type: ignore[arg-type]
    assert listed(make(url=f"http://wiki.test:{server.port}/team.git", token=TOKEN), pinned)


def test_a_run_that_is_ended_ends_git_and_what_git_started(make: Make, ctx: SourceContext) -> None:
    free = threading.Event()

    def hang(received: Received) -> Sent:
        free.wait(60)
        return Sent()

    with local_server(hang) as slow:
        with pytest.raises(StopSync, match="ended"):
            listed(make(url=f"{slow.url}/team.git"), replace(ctx, stop=lambda: bool(slow.received)))
        left = running(str(slow.port))
        free.set()
    assert left == []


def running(word: str) -> list[str]:
    """Programs with `word` among their arguments that still run after a while; what has ended has none any more."""
    found: list[str] = []
    for _ in range(50):
        found = []
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                line = process.read_bytes().decode("utf-8", "replace")
                found += [line] if word in line and "git" in line else []
        if not found:
            break
        time.sleep(0.1)
    return found


# --- what goes wrong on this side ------------------------------------------------------------------------------------


def test_a_damaged_copy_is_fetched_anew(repo: Repo, make: Make, ctx: SourceContext) -> None:
    listed(make(), ctx)
    for pack in (ctx.state_dir / "mirror.git" / "objects").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(b"")
    with pytest.raises(Retry, match="damaged"):
        fetched(make(), ctx, "README.md")
    assert "README.md" in documents(fetched(make(), ctx, "README.md"))


def test_a_copy_that_is_damaged_does_not_stop_fetching_for_ever(repo: Repo, make: Make, ctx: SourceContext) -> None:
    listed(make(), ctx)
    (ctx.state_dir / "mirror.git" / "refs" / "citebot" / "head").write_text("")
    repo.commit({"new.md": "x"})
    with suppress(Retry):
        listed(make(), ctx)
    assert "new.md" in listed(make(), ctx)


def test_the_lock_of_a_killed_run_is_taken_away(repo: Repo, make: Make, ctx: SourceContext) -> None:
    listed(make(), ctx)
    lock = ctx.state_dir / "mirror.git" / "refs" / "citebot" / "head.lock"
    lock.write_text("")
    repo.commit({"new.md": "x"})
    with pytest.raises(Retry, match="lock"):
        listed(make(), ctx)
    os.utime(lock, (0, 0))
    assert "new.md" in listed(make(), ctx)


def test_a_repository_by_path_may_belong_to_somebody_else(
    make: Make, ctx: SourceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git's own switch for its tests of ownership, which only its programs can see."""
    real = command._environment
    other = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    monkeypatch.setattr(command, "_environment", lambda *given: real(*given) | other)
    assert listed(make(), ctx)


def test_words_in_an_address_explain_nothing() -> None:
    url = "https://git.example/401/not found/protocol error.git"
    told = _explained(url, "", f"unable to access '{url}/': Failed to connect to git.example port 443")
    assert isinstance(told, Retry)
    assert "returned error: 403" not in str(told)
    assert isinstance(
        _explained(url, "", f"unable to access '{url}/': The requested URL returned error: 403"), StopSync
    )
    assert "ca_file" in str(_explained(url, "", f"unable to access '{url}/': server certificate verification failed."))
    assert isinstance(_explained(url, "", f"unable to access '{url}/': The requested URL returned error: 502"), Retry)
