"""The Helm chart takes right values and names wrong ones; what it makes is valid Kubernetes and keeps the policies."""

from __future__ import annotations

import copy
import json
import re
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
helm_python = pytest.importorskip("helm_python")
# It reads a megabyte for every object.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)

sys.path.insert(0, str(Path(__file__).parents[1] / "charts"))  # the tests are no package

from policies import POLICIES, Policy  # noqa: E402
from rendering import CHART, Manifest, chart, named, of_kind, pod_of, render, value_sets  # noqa: E402

GOOD, BAD = value_sets("good"), value_sets("bad")
VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
WITHOUT = {"migrations by hand and networks by others": {"every_pod_has_a_network_policy"}}
"""What a set turns off on purpose."""
FOREIGN = {"ServiceMonitor"}
"""Kinds of operators, of which Kubernetes has no schema."""


def complaints(manifests: list[Manifest], policies: tuple[Policy, ...] = POLICIES) -> list[str]:
    return [f"{policy.__name__}: {line}" for policy in policies for line in policy(manifests)]


def invalid(manifests: list[Manifest], version: str) -> Iterator[str]:
    for manifest in manifests:
        if manifest["kind"] not in FOREIGN:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{named(manifest)}: {error}"


def test_the_values_of_the_documentation_are_taken() -> None:
    page = (CHART.parents[1] / "docs" / "kubernetes.md").read_text("utf-8")
    blocks = re.findall(r"^( *)```yaml title=values.yaml\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for _, block in blocks:
        manifests = render(yaml.safe_load(textwrap.dedent(block)))
        assert complaints(manifests) == []
        assert list(invalid(manifests, VERSIONS[-1])) == []


def test_there_are_as_many_sets_as_promised() -> None:
    assert len(GOOD) >= 20
    assert len(BAD) >= 20
    assert len(POLICIES) >= 15


@pytest.mark.parametrize("name", GOOD)
def test_good_values_make_valid_objects_that_keep_the_policies(name: str) -> None:
    manifests = render(GOOD[name])
    kept = tuple(policy for policy in POLICIES if policy.__name__ not in WITHOUT.get(name, set()))
    assert complaints(manifests, kept) == []
    assert list(invalid(manifests, VERSIONS[-1])) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_values_are_refused_by_name(name: str) -> None:
    with pytest.raises(helm_python.HelmError) as refused:
        render(BAD[name]["values"])
    said = str(refused.value)
    assert [part for part in BAD[name]["names"] if part not in said] == [], said
    assert BAD[name].get("never", "no secret") not in said


@pytest.mark.parametrize("version", VERSIONS)
def test_the_defaults_are_valid_from_the_oldest_to_the_newest_kubernetes(version: str) -> None:
    assert list(invalid(render({}), version)) == []
    report = helm_python.lint(CHART, {}, strict=True, kube_version=f"v{version}.0")
    assert [message for message in report["messages"] if message["severity"] > 1] == []
    assert report["errors"] == []


def test_the_oldest_kubernetes_is_the_one_that_the_chart_names() -> None:
    assert chart().metadata["kubeVersion"] == f">={VERSIONS[0]}.0-0"
    assert VERSIONS[-1] == kubernetes_validate.latest_version().rpartition(".")[0]


def test_a_misspelt_field_is_found() -> None:
    manifests = render({})
    pod_of(of_kind(manifests, "Deployment")[0])["containers"][0]["livenessProb"] = {}
    assert len(list(invalid(manifests, "1.37"))) == 1


def test_two_releases_do_not_touch_each_other() -> None:
    one, two = render({}, release="one"), render({}, release="two")
    assert {named(manifest) for manifest in one} & {named(manifest) for manifest in two} == set()
    selectors = [
        [
            manifest["spec"]["selector"]
            for manifest in of_kind(manifests, "Deployment", "Service", "PodDisruptionBudget")
        ]
        for manifests in (one, two)
    ]
    assert [selector for selector in selectors[0] if selector in selectors[1]] == []


def test_a_long_name_of_a_release_is_cut() -> None:
    assert complaints(render({}, release="the-answers-of-the-department-of-everything-12345")) == []


def test_pods_begin_anew_when_their_settings_change() -> None:
    def marks(values: dict[str, Any]) -> set[str]:
        deployments = of_kind(render(values), "Deployment")
        return {one["spec"]["template"]["metadata"]["annotations"]["checksum/settings"] for one in deployments}

    assert marks({}) == marks({"worker": {"replicas": 7}})
    assert marks({}) & marks({"settings": {"answering": {"threshold": 0.4}}}) == set()


# --- the policies can fail -----------------------------------------------------------------------------------------


def everywhere(change: Callable[[Manifest], object]) -> Callable[[list[Manifest]], None]:
    """Change the pods of everything that makes pods."""

    def plant(manifests: list[Manifest]) -> None:
        for workload in of_kind(manifests, "Deployment", "Job"):
            change(pod_of(workload))

    return plant


def container(change: Callable[[Manifest], object]) -> Callable[[list[Manifest]], None]:
    return everywhere(lambda pod: change(pod["containers"][0]))


def without(*kinds: str) -> Callable[[list[Manifest]], None]:
    return lambda manifests: manifests.__setitem__(slice(None), [m for m in manifests if m["kind"] not in kinds])


def each(kind: str, change: Callable[[Manifest], object]) -> Callable[[list[Manifest]], None]:
    return lambda manifests: [change(manifest) for manifest in of_kind(manifests, kind)] and None


FAULTS: list[tuple[str, Callable[[list[Manifest]], None]]] = [
    ("never_root", everywhere(lambda pod: pod["securityContext"].pop("runAsNonRoot"))),
    ("never_root", everywhere(lambda pod: pod["securityContext"].update(runAsUser=0))),
    ("never_root", container(lambda one: one["securityContext"].update(runAsUser=0))),
    ("root_is_read_only", container(lambda one: one["securityContext"].pop("readOnlyRootFilesystem"))),
    ("no_more_rights", container(lambda one: one["securityContext"].pop("allowPrivilegeEscalation"))),
    ("no_capabilities", container(lambda one: one["securityContext"]["capabilities"].update(add=["NET_ADMIN"]))),
    ("system_calls_are_filtered", everywhere(lambda pod: pod["securityContext"].pop("seccompProfile"))),
    ("no_access_to_the_cluster", everywhere(lambda pod: pod.pop("automountServiceAccountToken"))),
    ("nothing_of_the_node", everywhere(lambda pod: pod.update(hostNetwork=True))),
    ("nothing_of_the_node", everywhere(lambda pod: pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}}))),
    ("resources_are_bounded", container(lambda one: one["resources"].pop("limits"))),
    ("resources_are_bounded", everywhere(lambda pod: pod["volumes"].append({"name": "x", "emptyDir": {}}))),
    (
        "secrets_by_reference",
        container(lambda one: one["env"].append({"name": "CITEBOT_METRICS__TOKEN", "value": "x"})),
    ),
    ("secrets_by_reference", each("ConfigMap", lambda one: one["data"].update(more='api_key = "x"'))),
    ("secrets_have_files", container(lambda one: one["env"].pop())),
    ("mounts_are_there", container(lambda one: one["volumeMounts"].pop())),
    ("health_is_asked", container(lambda one: one.pop("readinessProbe", None))),
    ("some_always_run", without("PodDisruptionBudget")),
    (
        "some_always_run",
        each("Deployment", lambda one: one["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1)),
    ),
    ("every_pod_has_a_network_policy", without("NetworkPolicy")),
    ("the_way_out_is_listed", each("NetworkPolicy", lambda one: one["spec"]["egress"].append({}))),
    (
        "the_way_out_is_listed",
        each("NetworkPolicy", lambda one: one["spec"]["egress"][2]["to"][0]["ipBlock"].pop("except")),
    ),
    ("images_are_named", container(lambda one: one.update(image="citebot:latest"))),
    ("everything_is_labelled", each("Service", lambda one: one["metadata"]["labels"].clear())),
    ("what_is_named_exists", each("Service", lambda one: one["spec"]["ports"][0].update(targetPort="nothing"))),
    ("migrates_first", each("Job", lambda one: one["metadata"]["annotations"].clear())),
]


@pytest.mark.parametrize(("policy", "plant"), FAULTS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(FAULTS)])
def test_a_planted_fault_is_found(policy: str, plant: Callable[[list[Manifest]], None]) -> None:
    manifests = copy.deepcopy(render({}))
    plant(manifests)
    assert [line for line in complaints(manifests) if line.startswith(f"{policy}: ")]


def test_every_policy_is_shown_to_fail() -> None:
    assert {policy.__name__ for policy in POLICIES} == {name for name, _ in FAULTS}


# --- the schema ----------------------------------------------------------------------------------------------------

FREE = {"global", "extra_body"}
"""What may hold anything: the values of a chart around ours, and what a model server understands."""


def open_objects(node: Any, path: str) -> Iterator[str]:
    """The objects of a schema that would take a key that nobody knows."""
    if isinstance(node, list):
        for number, inner in enumerate(node):
            yield from open_objects(inner, f"{path}/{number}")
    elif isinstance(node, dict):
        is_object = node.get("type") == "object" or "properties" in node
        in_condition = path.endswith(("/if", "/then"))
        if is_object and not in_condition and path.rpartition("/")[2] not in FREE:
            more = node.get("additionalProperties", True)
            if more is True or ("properties" in node and more is not False):
                yield path
        for key, inner in node.items():
            yield from open_objects(inner, f"{path}/{key}")


def test_the_schema_is_strict_everywhere() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    assert list(open_objects(schema, "")) == []
    assert list(open_objects({"type": "object", "properties": {"a": {"type": "object"}}}, "")) == ["", "/properties/a"]
