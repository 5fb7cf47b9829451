"""The security that the test server lacks: keys, and which call needs which privilege, by Elastic's lists.

Privileges: https://www.elastic.co/docs/reference/elasticsearch/security-privileges, as patterns of actions.
Actions: each page of the API reference names the privilege of its call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from elasticsearch_proxy import refusal

from citebot.testing.local_server import Received, Sent

CLUSTER = {
    "monitor": ("cluster:monitor/*",),
    "manage": ("cluster:monitor/*", "cluster:admin/*", "indices:admin/template/*"),
    "all": ("cluster:*", "indices:admin/template/*"),
}
INDICES = {
    "create_doc": ("indices:data/write/index", "indices:data/write/bulk*"),
    "create": ("indices:data/write/index", "indices:data/write/bulk*"),
    "delete": ("indices:data/write/delete*", "indices:data/write/bulk*"),
    "index": ("indices:data/write/index*", "indices:data/write/bulk*", "indices:data/write/update*"),
    "write": ("indices:data/write/*", "indices:admin/mapping/auto_put"),
    "read": ("indices:data/read/*",),
    "delete_index": ("indices:admin/delete",),
    "create_index": ("indices:admin/create", "indices:admin/auto_create"),
    "monitor": ("indices:monitor/*",),
    "maintenance": ("indices:admin/refresh*", "indices:admin/flush*", "indices:admin/forcemerge*"),
    "view_index_metadata": (
        "indices:admin/aliases/get",
        "indices:admin/get",
        "indices:admin/mappings/get",
        "indices:admin/mappings/fields/get*",
        "indices:monitor/settings/get",
    ),
    "manage": ("indices:monitor/*", "indices:admin/*"),
    "all": ("indices:*",),
}
"""From the least to the most, as Elasticsearch names them in its refusals."""

ACTIONS = {
    "GET /": "cluster:monitor/main",
    "GET /_cluster/health(/INDEX)?": "cluster:monitor/health",
    "GET /INDEX": "indices:admin/get",
    "HEAD /INDEX": "indices:admin/get",
    "PUT /INDEX": "indices:admin/create",
    "DELETE /INDEX": "indices:admin/delete",
    "GET /INDEX/_mapping": "indices:admin/mappings/get",
    "PUT /INDEX/_mapping": "indices:admin/mapping/put",
    "GET /INDEX/_settings": "indices:monitor/settings/get",
    "PUT /INDEX/_settings": "indices:admin/settings/update",
    "GET /_alias/INDEX": "indices:admin/aliases/get",
    "HEAD /_alias/INDEX": "indices:admin/aliases/get",
    "GET /INDEX/_alias": "indices:admin/aliases/get",
    "POST /_aliases": "indices:admin/aliases",
    "POST /INDEX/_refresh": "indices:admin/refresh",
    "POST /INDEX/_forcemerge": "indices:admin/forcemerge",
    "GET /INDEX/_stats(/[a-z,]+)?": "indices:monitor/stats",
    "POST /INDEX/_count": "indices:data/read/search",
    "POST /INDEX/_search": "indices:data/read/search",
    "POST /_msearch": "indices:data/read/search",
    "POST /INDEX/_mget": "indices:data/read/mget",
    "GET /INDEX/_doc/ID": "indices:data/read/get",
    "HEAD /INDEX/_doc/ID": "indices:data/read/get",
    "PUT /INDEX/_doc/ID": "indices:data/write/index",
    "DELETE /INDEX/_doc/ID": "indices:data/write/delete",
    "PUT /_bulk": "indices:data/write/bulk",
}
_ROUTES = [
    (re.compile(route.replace("INDEX", "(?P<index>[^/_][^/]*)").replace("ID", "[^/]+")), action)
    for route, action in ACTIONS.items()
]


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one index, or on the cluster where there is none."""

    action: str
    index: str = ""

    def granted_by(self, role: Mapping[str, Any]) -> set[str]:
        """The privileges of a role that are each enough."""
        if not self.index:
            return {f"cluster {name}" for name in role["cluster"] if self._is_in(CLUSTER[name])}
        return {
            f"indices {name}"
            for part in role["indices"]
            if any(fnmatchcase(self.index, pattern) for pattern in part["names"])
            for name in part["privileges"]
            if self._is_in(INDICES[name])
        }

    def refused(self) -> Sent:
        """What Elasticsearch says."""
        kind, known = ("index", INDICES) if self.index else ("cluster", CLUSTER)
        enough = ",".join(name for name, patterns in known.items() if self._is_in(patterns))
        where = f" on indices [{self.index}]" if self.index else ""
        return refusal(
            403,
            "security_exception",
            f"action [{self.action}] is unauthorized for API key id [x] of user [admin]{where}, "
            f"this action is granted by the {kind} privileges [{enough}]",
        )

    def _is_in(self, patterns: tuple[str, ...]) -> bool:
        return any(fnmatchcase(self.action, pattern) for pattern in patterns)


@dataclass
class Security:
    """Keys with their roles; takes the place of `Proxy.answer`."""

    roles: Mapping[str, Mapping[str, Any]]
    """Encoded key → role."""
    used: set[Need] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    """Calls that no list of ours has."""

    def __call__(self, request: Received) -> Sent | None:
        role = self.roles.get(request.headers.get("authorization", "").removeprefix("ApiKey "))
        if role is None:
            return refusal(401, "security_exception", "unable to authenticate user for REST request [/]")
        needs = set(needs_of(request))
        if not needs:
            self.unknown.add(f"{request.method} {request.path}")
            return refusal(403, "security_exception", f"no action is known for {request.method} {request.path}")
        self.used |= needs
        return next((need.refused() for need in needs if not need.granted_by(role)), None)

    def unnecessary(self, role: Mapping[str, Any]) -> set[str]:
        """Privileges of a role without which everything that was done would have been allowed too."""
        printed = {f"cluster {name}" for name in role["cluster"]}
        printed |= {f"indices {name}" for part in role["indices"] for name in part["privileges"]}
        granted = [need.granted_by(role) for need in self.used]
        return {name for name in printed if not any(each == {name} for each in granted)}


def needs_of(request: Received) -> Iterator[Need]:
    """What a request asks for; nothing, if it is not in the list."""
    for route, action in _ROUTES:
        if found := route.fullmatch(f"{request.method} {request.path}"):
            if request.path == "/_bulk":
                yield from _bulk(request)
            elif request.path == "/_msearch":
                yield from (Need(action, json.loads(line)["index"]) for line in request.body.splitlines()[::2])
            elif request.path == "/_aliases":
                yield from _aliases(request, action)
            elif request.path == "/" or "_cluster" in request.path:
                yield Need(action)
            else:
                yield from (Need(action, name) for name in found["index"].split(","))
                if request.method == "PUT" and action == "indices:admin/create":
                    yield from _aliases_of_new(request, found["index"])


def _bulk(request: Received) -> Iterator[Need]:
    lines = iter(request.body.splitlines())
    for line in lines:
        ((what, about),) = json.loads(line).items()
        yield Need("indices:data/write/bulk", about["_index"])
        yield Need(f"indices:data/write/{what}", about["_index"])
        if what != "delete":
            next(lines)


def _aliases_of_new(request: Received, index: str) -> Iterator[Need]:
    """An index that is made with aliases needs the right to give them."""
    for name in json.loads(request.body).get("aliases", ()):
        yield Need("indices:admin/aliases", index)
        yield Need("indices:admin/aliases", name)


def _aliases(request: Received, action: str) -> Iterator[Need]:
    for each in json.loads(request.body)["actions"]:
        ((what, about),) = each.items()
        yield Need(action, about["index"])
        yield Need("indices:admin/delete", about["index"]) if what == "remove_index" else Need(action, about["alias"])
