"""Settings of the source `git`."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from citebot_connectors.sources.file_documents import FileRules

_HOST = re.compile(r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


class GitSettings(FileRules):
    """A repository, what to read in it, and who may read it."""

    url: str = Field(
        description="https, http or file address, or a path. Wikis are repositories too: …/project.wiki.git."
    )
    branch: str = Field("", description="The branch; without it the one the repository calls its HEAD.")
    path: str = Field("", description="Read this folder of it alone.")
    user: str = Field("citebot", description="Name that goes with the token; most hosts take any.")
    token: SecretStr = Field(SecretStr(""), description="Access token with the right to read the repository.")
    web: str = Field(
        "",
        description="Address of a file for people, with {commit} and {path}, or {page} for wikis; guessed for GitHub, "
        "GitLab, Bitbucket, Gitea and Forgejo.",
    )
    line_anchor: str = Field("", description="How that address names a line of plain text, as L{line}; guessed too.")
    ca_file: Path | None = Field(None, description="Certificate (PEM) of the server's own authority.")
    max_file_bytes: int = Field(20_000_000, gt=0, description="Larger files are parked.")

    @field_validator("url")
    @classmethod
    def _readable(cls, url: str) -> str:
        url = url.strip()
        parts = urlsplit(url)
        if url.startswith("-") or not url:
            raise ValueError("give the address of a repository")
        if parts.password or (parts.username and parts.scheme in ("http", "https")):
            raise ValueError(
                "put the token into the setting token, not into the address: addresses are shown and logged"
            )
        is_ssh = parts.scheme in ("ssh", "git") or (not parts.scheme and ":" in url.partition("/")[0])
        if is_ssh or "::" in url.partition("/")[0] or (parts.scheme and parts.scheme not in ("http", "https", "file")):
            raise ValueError("use the https address of the repository, with a token where it is not public")
        if parts.scheme in ("http", "https"):
            # Written otherwise, git could understand another host than the one that is checked and pinned.
            plain = f"{parts.scheme}://{parts.netloc}" == url[: len(parts.scheme) + 3 + len(parts.netloc)]
            if not plain or not _HOST.fullmatch(parts.netloc) or (parts.port or 1) < 1:
                raise ValueError("write the host in lower-case letters, digits, dots and hyphens (or as xn--…)")
        if any(character.isspace() or not character.isprintable() for character in url if parts.scheme):
            raise ValueError("write spaces in the address as %20")
        return url if parts.scheme else str(Path(url).expanduser().absolute())

    @field_validator("ca_file")
    @classmethod
    def _whole(cls, file: Path | None) -> Path | None:
        return file.expanduser().absolute() if file else None

    @field_validator("branch")
    @classmethod
    def _a_name(cls, branch: str) -> str:
        if re.search(r"[\s~^:?*\[\\\x00-\x1f\x7f]|\.\.|@\{|^-", branch):
            raise ValueError("give the name of one branch, as main or release/2.0")
        return branch

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        path = path.strip("/")
        if ".." in path.split("/"):
            raise ValueError("the folder is inside the repository")
        return path

    @field_validator("line_anchor", "web")
    @classmethod
    def _fillable(cls, pattern: str) -> str:
        try:
            pattern.format(line=1, commit="c", path="p", page="p")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError("known names in braces are {commit}, {path}, {page} and, for lines, {line}") from error
        return pattern
