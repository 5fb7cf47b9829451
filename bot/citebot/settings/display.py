"""Settings for people to look at: the values in force without their secrets, and the schema of everything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from citebot.settings.checking import looks_secret
from citebot.settings.tree import Choice, Settings

MASK = "**********"
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")

Sections = Mapping[str, Mapping[str, type[BaseModel]]]
"""The `Settings` of parts, by kind and name."""


def show(settings: Settings, sections: Sections | None = None) -> dict[str, Any]:
    """The tree in force as plain values; secrets are masked, also in sections of parts that are not loaded."""
    tree: dict[str, Any] = settings.model_dump(mode="json")
    for kind, parts in (sections or {}).items():
        for name, model in parts.items():
            section = tree.get(kind, {}).get(name)
            if isinstance(section, dict):
                for key, field in model.model_fields.items():
                    if key in section and "Secret" in repr(field.annotation):
                        section[key] = MASK if section[key] else ""
    masked: dict[str, Any] = _masked(tree)
    return masked


def schema(sections: Sections | None = None) -> dict[str, Any]:
    """JSON schema of the tree, the sections of the given parts included."""
    tree = Settings.model_json_schema()
    for kind, parts in (sections or {}).items():
        if kind not in tree["properties"]:
            continue
        properties: dict[str, Any] = {
            "use": {"type": "string", "enum": ["", *sorted(parts)], "description": "The part."}
        }
        choice = Settings.model_fields[kind].annotation
        if isinstance(choice, type) and issubclass(choice, Choice):
            own = choice.model_json_schema()["properties"]
            properties |= {name: about for name, about in own.items() if name != "use"}
        for name, model in sorted(parts.items()):
            part = model.model_json_schema(ref_template=f"#/$defs/{kind}.{name}.{{model}}")
            for inner, definition in part.pop("$defs", {}).items():
                tree["$defs"][f"{kind}.{name}.{inner}"] = definition
            properties[name] = part
        tree["properties"][kind] = {"type": "object", "properties": properties, "additionalProperties": False}
    return tree


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _masked(inner, key if looks_secret(key) else name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, key) for inner in value]
    if isinstance(value, str) and value and looks_secret(key):
        return MASK
    if isinstance(value, str):
        return _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", str(value))
    return value
