"""What the chart and the compose file give to Citebot are settings that exist, with values that it takes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("helm_python")

sys.path.insert(0, str(Path(__file__).parents[1] / "charts"))  # the tests are no package

from rendering import ROOT, Manifest, environment, of_kind, pod_of, render, value_sets

from citebot.app.roles import duties_of
from citebot.errors import SettingsError
from citebot.pluginmanager import PluginManager
from citebot.settings import Settings, load_settings, validated

GOOD = value_sets("good")
TEXTS = {
    "CITEBOT_DATABASE__URL": "postgresql://citebot:pw@db/citebot",
    "CITEBOT_PLATFORM__CONSOLE__TOKENS": '{"alice@example.com": "0123456789abcdef"}',
}


def secret_files(variables: dict[str, str], folder: Path) -> dict[str, str]:
    """The same variables, with files that are there in the place of those of the pod."""
    moved = {}
    for name, value in variables.items():
        moved[name] = value
        if name.endswith("_FILE"):
            variable = name.removesuffix("_FILE")
            (folder / variable).write_text(TEXTS.get(variable, f"0123456789abcdef-{variable}") + "\n")
            moved[name] = str(folder / variable)
    return moved


def read_as_a_pod(manifests: list[Manifest], workload: Manifest, folder: Path) -> Settings:
    """The settings in force in a pod."""
    (config,) = of_kind(manifests, "ConfigMap")
    (folder / "citebot.toml").write_text(config["data"]["citebot.toml"])
    variables = secret_files(environment(pod_of(workload)["containers"][0]), folder)
    if "CITEBOT_CONFIG" in variables:
        variables["CITEBOT_CONFIG"] = str(folder / "citebot.toml")
    return load_settings(environ=variables, folder=folder)


def sections_of(settings: Settings) -> dict[str, Any]:
    """The chosen parts' own settings, each validated."""
    manager = PluginManager.load(settings)
    chosen = {kind: getattr(settings, kind) for kind in ("platform", "index", "generator", "embedder", "reranker")}
    return {
        kind: validated(manager.part(kind, choice.use).Settings, choice.settings_of(choice.use))
        for kind, choice in chosen.items()
        if choice.use
    }


@pytest.mark.parametrize("name", GOOD)
def test_what_pods_are_given_are_settings(name: str, tmp_path: Path) -> None:
    manifests = render(GOOD[name])
    for workload in of_kind(manifests, "Deployment", "Job"):
        settings = read_as_a_pod(manifests, workload, tmp_path)
        assert settings.database.url.get_secret_value() == TEXTS["CITEBOT_DATABASE__URL"]
        if workload["kind"] == "Job":
            continue
        assert (settings.metrics.port, settings.metrics.host) == (9090, GOOD[name].get("listen", "0.0.0.0"))
        if "plugins" not in GOOD[name]:  # a plugin that is not here
            parts = sections_of(settings)
            assert settings.index.use == "elasticsearch"
            if settings.platform.use == "console" or getattr(parts["platform"], "mode", "") == "http":
                assert parts["platform"].host == settings.metrics.host


def test_values_reach_the_settings_unchanged(tmp_path: Path) -> None:
    manifests = render(GOOD["many people"])
    settings = read_as_a_pod(manifests, of_kind(manifests, "Deployment")[0], tmp_path)
    assert settings.answering.threshold == 0.4
    assert settings.budgets.person_tokens == 200_000
    assert settings.access.groups == {"board": ["alice@example.com", "bob@example.com"]}
    assert settings.ingest.max_document_bytes == 50_000_000
    assert settings.log.json_lines is True


def test_numbers_for_a_model_server_stay_whole(tmp_path: Path) -> None:
    manifests = render(GOOD["a model server of our own"])
    settings = read_as_a_pod(manifests, of_kind(manifests, "Deployment")[0], tmp_path)
    body = sections_of(settings)["generator"].extra_body
    assert (body, type(body["top_k"])) == ({"reasoning_effort": "low", "top_k": 20}, int)


def test_a_variable_that_names_no_setting_would_be_found(tmp_path: Path) -> None:
    manifests = render({})
    deployment = of_kind(manifests, "Deployment")[0]
    pod_of(deployment)["containers"][0]["env"].append({"name": "CITEBOT_METRICS__PROT", "value": "1"})
    with pytest.raises(SettingsError, match="CITEBOT_METRICS__PROT"):
        read_as_a_pod(manifests, deployment, tmp_path)


@pytest.mark.parametrize("name", GOOD)
def test_every_duty_is_somebodys(name: str) -> None:
    manifests = render(GOOD[name])
    commands = [pod_of(one)["containers"][0]["command"] for one in of_kind(manifests, "Deployment")]
    assert {tuple(command[:-1]) for command in commands} == {("citebot", "serve", "--role")}
    chosen = GOOD[name].get("settings", {}).get("platform", {}).get("use", "console")
    platform = PluginManager.load(Settings()).part("platform", chosen)
    duties = [duties_of(command[-1], platform) for command in commands]
    for duty in ("listens", "answers", "reads"):
        assert [each for each in duties if getattr(each, duty)], duty


# --- one host ------------------------------------------------------------------------------------------------------

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))


@pytest.mark.parametrize("index", ["embedded", "elasticsearch"])
def test_the_compose_file_gives_settings(index: str, tmp_path: Path) -> None:
    variables = COMPOSE["services"]["citebot"]["environment"] | {"CITEBOT_INDEX__USE": index}
    settings = load_settings(environ=secret_files(variables, tmp_path), folder=tmp_path)
    assert settings.database.url.get_secret_value() == TEXTS["CITEBOT_DATABASE__URL"]
    assert sections_of(settings)["platform"].host == "0.0.0.0"


def test_the_services_of_ours_are_locked_down() -> None:
    for name in ("citebot", "migration"):
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    for port in COMPOSE["services"]["citebot"]["ports"]:
        assert port.startswith("127.0.0.1:")
    assert [name for name in ("postgres", "elasticsearch") if "ports" in COMPOSE["services"][name]] == []
