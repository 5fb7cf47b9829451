"""The secret of a source from the command line to the source: nothing else ever shows it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

CANARY = "canary-7f3a-hunter2"
ENVELOPE = re.compile(rb"gAAAA[\w=-]{20,}")

PLUGIN = '''
from citebot import Batch, Document, Failed, Finding, Readers, Ref, SourceSpec, StopSync, hookimpl
from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Login(BaseModel):
    password: SecretStr


class VaultSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: SecretStr = Field(description="Opens the vault.", min_length=4)
    spare: SecretStr | None = None
    more: list[SecretStr] = []
    login: Login | None = None


class Vault:
    """Lists one document, for whoever has the secret."""

    name = "vault"
    summary = "A place with a lock"
    Settings = VaultSettings
    spec = SourceSpec(id_example="1")

    def __init__(self, settings, context):
        self._token = settings.token.get_secret_value()

    def check(self, ctx):
        yield Finding(ok="shut" not in self._token, what="The vault is tried with " + self._token)

    def list(self, ctx, cursor):
        ctx.log.warning("opening", settings=repr(self.__dict__.keys()))
        if "leaky" in self._token:
            ctx.log.warning("GET https://vault.example.com/" + self._token)
        if self._token.endswith("leaky stop"):
            raise StopSync("Refused: https://vault.example.com/?t=" + self._token.replace(" ", "%20"))
        if self._token.endswith("leaky crash"):
            raise RuntimeError("Refused " + self._token)
        yield Batch(items=[Ref(id="1", version="1")], cursor=None)

    def fetch(self, ctx, ids):
        for each in ids:
            if self._token.endswith("leaky document"):
                yield Failed(id=each, why="Refused " + self._token, permanent=True)
                continue
            body = "# Gold\\n\\nThe gold is here."
            yield Document(id=each, title="Gold", url="", body=body, readers=Readers.everyone())


@hookimpl
def citebot_register_sources():
    return [Vault]
'''


@pytest.fixture
def vault(citebot: Any, tmp_path: Path) -> Any:
    """The command line with a kind of source that has secrets."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "vault.py").write_text(PLUGIN)
    citebot.options = (*citebot.options, "--set", f"plugins.dir={folder}")
    return citebot


def add(vault: Any, name: str, *more: str, token: str = CANARY) -> str:
    done = vault("source", "add", "vault", "--name", name, "--token", token, *more)
    assert done.exit_code == 0, done.stderr
    return str(done.stdout + done.stderr)


def stored(vault: Any) -> bytes:
    return b"".join(path.read_bytes() for path in vault.folder.rglob("*") if path.is_file())


def key_of(vault: Any) -> str:
    return str((vault.folder / "secrets.key").read_text().split()[0])


def test_nothing_shows_the_secret_and_the_source_gets_it(vault: Any) -> None:
    nested = ("--spare", f"{CANARY}-2", "--more", f"{CANARY}-3", "--more", f"{CANARY}-4")
    said = add(vault, "safe", *nested, "--login", json.dumps({"password": f"{CANARY}-5"}))
    for line in (
        ("source", "list", "--json"),
        ("source", "show", "safe"),
        ("source", "show", "safe", "--json"),
        ("source", "check", "safe"),
        ("source", "sync", "safe"),
        ("secrets", "status"),
        ("secrets", "status", "--json"),
        ("secrets", "rotate"),
        ("config", "show", "--json"),
        ("doctor",),
        ("--debug", "source", "sync", "safe"),
    ):
        result = vault(*line)
        assert result.exit_code == 0, result.stderr
        said += result.stdout + result.stderr

    assert "Gold" in vault("search", "gold").stdout
    assert CANARY not in said
    assert not ENVELOPE.search(said.encode())
    assert key_of(vault) not in said
    assert CANARY.encode() not in stored(vault)
    assert len(ENVELOPE.findall(stored(vault))) >= 5
    assert vault.json("source", "show", "safe")["settings"] == {
        "token": "***",
        "spare": "***",
        "more": ["***", "***"],
        "login": {"password": "***"},
    }


def test_a_process_with_all_its_logs_shows_nothing(vault: Any) -> None:
    add(vault, "safe")

    done = vault.process("--debug", "--set", "log.json_lines=true", "source", "sync", "safe")

    assert done.returncode == 0, done.stderr
    assert "opening" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert not ENVELOPE.search((done.stdout + done.stderr).encode())


@pytest.mark.parametrize("how", ["stop", "crash", "document"])
def test_a_source_that_tells_its_own_secret_is_not_repeated(how: str, vault: Any) -> None:
    said = add(vault, "safe", "--json", token=f"{CANARY} leaky {how}")
    for line in (
        ("source", "sync", "safe"),
        ("source", "sync", "safe", "--json"),
        ("source", "list", "--json"),
        ("source", "show", "safe", "--failed", "--json"),
        ("source", "check", "safe", "--json"),
        ("doctor",),
    ):
        done = vault.process(*line)
        said += done.stdout + done.stderr

    assert "Refused" in said
    assert not ENVELOPE.search(said.encode())
    assert "tried with ***" in said
    assert "GET https://vault.example.com/***" in said
    assert CANARY not in said
    assert CANARY.encode() not in stored(vault)
    assert b"Refused" in stored(vault)


def test_a_source_that_is_refused_with_its_secret_is_not_repeated(vault: Any) -> None:
    done = vault.process("source", "add", "vault", "--name", "safe", "--token", f"{CANARY} shut")

    assert done.returncode == 1
    assert "tried with ***" in done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_a_secret_may_come_from_a_file_or_a_variable(
    vault: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(f"{CANARY}\n")
    monkeypatch.setenv("VAULT_TOKEN", CANARY)

    add(vault, "one", token=f"@{tmp_path / 'token'}")
    add(vault, "two", token="env:VAULT_TOKEN")

    assert vault("source", "sync").exit_code == 0
    assert {row["name"]: row["documents"] for row in vault.json("source", "list")} == {"one": 1, "two": 1}


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("@/nowhere/hunter2", "--token names a file that cannot be read: No such file"),
        ("env:HUNTER2", "--token names a file or a variable that holds nothing"),
        ("h2", "source.vault.token"),
    ],
)
def test_a_secret_that_is_not_there_is_refused_in_one_line_without_repeating_it(
    token: str, said: str, vault: Any
) -> None:
    for debug in ((), ("--debug",)):
        done = vault.process(*debug, "source", "add", "vault", "--name", "safe", "--token", token)
        assert done.returncode == (1 if debug else 2)
        assert said in done.stderr
        assert token not in done.stderr
    assert not (vault.folder / "secrets.key").exists()


def test_a_refused_secret_within_a_table_is_not_repeated(vault: Any) -> None:
    wrong = json.dumps({"password": 8_675_309})

    for debug in ((), ("--debug",)):
        done = vault.process(*debug, "source", "add", "vault", "--name", "safe", "--token", CANARY, "--login", wrong)
        assert "source.vault.login.password" in done.stderr
        assert "8675309" not in done.stderr
        assert CANARY not in done.stderr


def test_without_its_key_a_source_says_what_to_do_and_the_others_go_on(vault: Any, tmp_path: Path) -> None:
    add(vault, "safe")
    (vault.folder / "secrets.key").rename(tmp_path / "kept")
    add(vault, "other")
    used = {key["use"]: key["names"] for key in vault.json("secrets", "status")["keys"]}

    done = vault("source", "sync")

    assert used == {"encrypts": ["other"], "missing": ["safe"]}
    assert done.exit_code == 1
    lines = [line for line in done.stderr.splitlines() if "safe" in line]
    assert len(lines) == 1
    assert "Put the key back into" in lines[0]
    assert {row["name"]: row["documents"] for row in vault.json("source", "list")} == {"safe": 0, "other": 1}
    assert vault("source", "check", "safe").exit_code == 1
    told = vault("doctor").stdout
    assert "“safe” cannot be read" in told
    assert "Source other: 1 documents" in told
    refused = vault("secrets", "rotate")
    assert refused.exit_code == 1
    assert "“safe”" in refused.stderr
    with (vault.folder / "secrets.key").open("a") as file:
        file.write((tmp_path / "kept").read_text())
    assert vault("source", "sync").exit_code == 0


def test_a_rotation_changes_the_key_and_the_source_goes_on(vault: Any) -> None:
    add(vault, "safe")
    old = key_of(vault)

    done = vault.json("secrets", "rotate")

    assert (done["from"], done["sources"], len(done["dropped"])) == ("file", 1, 1)
    assert key_of(vault) != old
    assert vault.json("secrets", "status")["keys"] == [
        {"id": done["key"], "use": "encrypts", "sources": 1, "names": ["safe"]}
    ]
    assert vault("source", "sync").exit_code == 0


def test_a_source_that_is_removed_and_purged_leaves_no_envelope(vault: Any) -> None:
    add(vault, "safe")
    assert ENVELOPE.search(stored(vault))

    assert vault("source", "remove", "safe", "--yes").exit_code == 0
    assert vault("index", "purge").exit_code == 0

    assert not ENVELOPE.search(stored(vault))
    assert vault.json("secrets", "status")["keys"][0]["sources"] == 0


def test_sources_without_secrets_make_no_key(citebot: Any, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# A\n\nText.\n")
    (tmp_path / "b.jsonl").write_text('{"id": "1", "text": "x", "readers": ["everyone"]}\n')

    for kind, path in (("files", tmp_path / "docs"), ("jsonl", tmp_path / "b.jsonl")):
        assert citebot("source", "add", kind, "--name", kind, "--path", str(path)).exit_code == 0
    assert citebot("source", "sync").exit_code == 0

    assert citebot.json("secrets", "status") == {"from": "none", "file": None, "keys": []}
    assert "Nothing to do" in citebot("secrets", "rotate").stdout
    # Even changing keys, which takes the lock, makes none.
    assert [path.name for path in citebot.folder.glob("secrets.key*")] == []
