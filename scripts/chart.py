"""What of the Helm chart is written from the code: the settings in the schema of its values, and the table of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from citebot.pluginmanager import PluginManager
from citebot.settings import Settings, schema
from citebot.settings.environment import variable

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "helm" / "citebot"
SCHEMA = CHART / "values.schema.json"
TABLE_NOTE = "<!-- From here on written by scripts/docs.py; change the chart and run `make docs`. -->\n"

OWNED = {
    *("data_dir", "secrets", "metrics"),
    *("platform.console.host", "platform.console.port", "platform.console.port_search", "platform.console.people"),
    *("platform.slack.host", "platform.slack.port"),
}
"""Settings that the chart gives itself, or that make no sense in it."""
IN_THE_TABLE_AS_A_WHOLE = {"settings", "secrets", "certificates", "plugins"}

Keys = tuple[str, ...]
Node = dict[str, Any]


def chart_schema() -> str:
    """`values.schema.json` as it is, with the settings and secrets that there are now."""
    tree = json.loads(SCHEMA.read_text(encoding="utf-8"))
    whole = schema(PluginManager.load(Settings()).sections())
    settings = _plain(whole, whole["$defs"], ())
    settings["description"] = "What `citebot.toml` would hold, see settings.md. Secrets are not taken here."
    settings["required"] = ["index", "platform"]
    for kind in settings["required"]:
        settings["properties"][kind]["required"] = ["use"]
    settings["properties"]["index"]["properties"]["use"]["enum"] = ["elasticsearch"]
    tree["properties"]["settings"] = settings
    tree["properties"]["secrets"]["properties"] = {
        name: {"$ref": "#/$defs/reference"} for name in sorted(secret_variables())
    }
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def secret_variables() -> Iterator[str]:
    """The variable of every setting that is a secret."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _secrets(field.annotation, (name,))
    for kind, parts in PluginManager.load(Settings()).sections().items():
        if kind in Settings.model_fields:
            for name, model in parts.items():
                yield from _secrets(model, (kind, name))


def _secrets(model: type[BaseModel], path: Keys) -> Iterator[str]:
    for key, field in model.model_fields.items():
        if "Secret" in repr(field.annotation):
            yield variable((*path, key))


def _plain(node: Node, definitions: Node, path: Keys) -> Node:
    """A schema without references, titles, defaults, secrets and what the chart owns."""
    if "$ref" in node:
        node = definitions[node["$ref"].removeprefix("#/$defs/")] | node
    kept = {key: value for key, value in node.items() if key not in ("$ref", "$defs", "title", "default", "properties")}
    for key in ("anyOf", "oneOf", "allOf"):
        if key in kept:
            kept[key] = [_plain(option, definitions, path) for option in kept[key]]
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = _plain(kept[key], definitions, path)
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    if "properties" in node:
        kept["properties"] = {
            key: _plain(value, definitions, (*path, key))
            for key, value in node["properties"].items()
            if ".".join((*path, key)) not in OWNED and not _secret(value)
        }
        kept["additionalProperties"] = False
        required = [key for key in node.get("required", []) if key in kept["properties"]]
        kept.pop("required", None)
        kept |= {"required": required} if required else {}
    return kept


def _secret(node: object) -> bool:
    """Whether a value is a secret, or a list or table of them."""
    if not isinstance(node, dict):
        return False
    return bool(node.get("writeOnly")) or any(_secret(node.get(key)) for key in ("items", "additionalProperties"))


def chart_page() -> str:
    """docs/kubernetes.md as it is, with the table of values."""
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8").partition(TABLE_NOTE)[0]
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    tree = json.loads(SCHEMA.read_text(encoding="utf-8"))
    lines = [page + TABLE_NOTE, "| value | default | what it is |", "| --- | --- | --- |"]
    return "\n".join([*lines, *_rows(tree, values, tree["$defs"], ())]) + "\n"


def _rows(node: Node, values: Mapping[str, Any], definitions: Node, path: Keys) -> Iterator[str]:
    for key, inner in node["properties"].items():
        if "$ref" in inner:
            inner = definitions[inner["$ref"].removeprefix("#/$defs/")] | inner
        here, about = (*path, key), inner.get("description", "")
        default = values.get(key) if key in values else None
        if "properties" in inner and key not in (*IN_THE_TABLE_AS_A_WHOLE, "resources"):
            yield f"| **`{'.'.join(here)}`** | | {about} |"
            yield from _rows(inner, default or {}, definitions, here)
        else:
            shown = "" if default in (None, "", [], {}) else f"`{json.dumps(default, ensure_ascii=False)}`"
            yield f"| `{'.'.join(here)}` | {'see `values.yaml`' if len(shown) > 60 else shown} | {about} |"
