"""The least that a key must be allowed.

What each call needs is in Elastic's list of privileges:
https://www.elastic.co/docs/reference/elasticsearch/security-privileges
"""

from __future__ import annotations

from typing import Any


def role(name: str) -> dict[str, Any]:
    """A role for an index of this name: its alias, the indices behind it and their state, and nothing else.

    `monitor` is for asking the server's version; `manage` for making, widening, switching, merging and deleting these
    indices.
    """
    indices = {"names": [name, f"{name}-*"], "privileges": ["read", "write", "manage"]}
    return {"cluster": ["monitor"], "indices": [indices]}
