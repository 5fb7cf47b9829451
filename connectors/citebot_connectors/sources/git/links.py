"""Addresses of files for people: permanent, because they name the commit."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit

_HOSTS = {
    "github": "{base}/blob/{commit}/{path}",
    "gitlab": "{base}/-/blob/{commit}/{path}",
    "bitbucket": "{base}/src/{commit}/{path}",
    "gitea": "{base}/src/commit/{commit}/{path}",
    "forgejo": "{base}/src/commit/{commit}/{path}",
    "codeberg": "{base}/src/commit/{commit}/{path}",
}
_WIKIS = {
    "github": "{base}/wiki/{page}",
    "gitlab": "{base}/-/wikis/{page}",
    "gitea": "{base}/wiki/{page}",
    "forgejo": "{base}/wiki/{page}",
    "codeberg": "{base}/wiki/{page}",
}


def pattern_for(url: str) -> str:
    """The pattern of the host's file pages, guessed from its name; empty when it is not known."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return ""
    wiki = parts.path.endswith((".wiki.git", ".wiki"))
    base = f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('.git').removesuffix('.wiki').rstrip('/')}"
    known = _WIKIS if wiki else _HOSTS
    pattern = next((pattern for name, pattern in known.items() if name in (parts.hostname or "")), "")
    return pattern.replace("{base}", base.replace("{", "%7B").replace("}", "%7D"))


def line_anchor_for(pattern: str) -> str:
    """How the host of a guessed pattern names a line; nothing for pages of wikis, and where there is no link."""
    if "{path}" not in pattern:
        return ""
    return "lines-{line}" if "bitbucket" in pattern.partition("/src/")[0] else "L{line}"


def link(pattern: str, *, commit: str, path: str) -> str:
    """The address of one file at one commit."""
    page = str(PurePosixPath(path).with_suffix(""))
    return pattern.format(commit=commit, path=quote(path), page=quote(page)) if pattern else ""
