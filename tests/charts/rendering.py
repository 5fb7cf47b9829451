"""The chart rendered by Helm's own engine, and what the pods of it would read as their settings."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "citebot"
SETS = Path(__file__).parent
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where there is one

Manifest = dict[str, Any]


@cache
def chart() -> helm_python.Chart:
    """The chart, loaded once."""
    return helm_python.Chart.load(CHART)


def value_sets(name: str) -> dict[str, dict[str, Any]]:
    """The sets of good.yaml or bad.yaml, by name."""
    sets: dict[str, dict[str, Any]] = yaml.safe_load((SETS / f"{name}.yaml").read_text("utf-8"))
    return sets


def render(
    values: dict[str, Any], *, release: str = "citebot", chart: helm_python.Chart | None = None
) -> list[Manifest]:
    """Every object of a release. Raises what Helm says when it refuses the values."""
    used = chart or globals()["chart"]()
    used.validate_schema(values)
    texts = used.render(values, name=release, namespace="answers")
    return [
        manifest
        for name, text in texts.items()
        if name.endswith(".yaml")
        for manifest in yaml.load_all(text, LOADER)
        if manifest
    ]


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """The objects of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def workloads(manifests: list[Manifest]) -> list[Manifest]:
    """The objects that make pods."""
    return of_kind(manifests, "Deployment", "Job")


def named(manifest: Manifest) -> str:
    """`Kind/name`, for complaints."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def pod_of(workload: Manifest) -> Manifest:
    """The spec of its pods."""
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def containers(manifests: list[Manifest]) -> list[tuple[str, Manifest]]:
    """Every container, the first ones included, with the name of what it belongs to."""
    return [
        (named(workload), container)
        for workload in workloads(manifests)
        for container in [*pod_of(workload)["containers"], *pod_of(workload).get("initContainers", [])]
    ]


def environment(container: Manifest) -> dict[str, str]:
    """Its variables."""
    return {entry["name"]: entry["value"] for entry in container["env"]}
