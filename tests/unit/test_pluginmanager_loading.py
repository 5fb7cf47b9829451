"""Plugins are found by entry point, loaded by name, and refused with a sentence that helps."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from citebot import NoSettings, hookimpl, hookspecs
from citebot.errors import PluginError, SettingsError
from citebot.pluginmanager import PluginInfo, PluginManager
from citebot.pluginmanager.parts import KINDS
from citebot.ports import PartContext
from citebot.settings import Choice, Settings

Install = Callable[..., None]

SOURCE = """
from citebot import NoSettings, SourceSpec, hookimpl

class Notes:
    name = "notes"
    summary = "Notes"
    spec = SourceSpec()
    Settings = NoSettings
    def __init__(self, settings, context): self.settings = settings; self.context = context
    def list(self, ctx, cursor): return iter(())
    def fetch(self, ctx, ids): return iter(())

@hookimpl
def citebot_register_sources():
    return [Notes]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution with one plugin module for the length of a test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules: list[str] = []

    def write(plugin: str, code: str, *, dist: str = "", point: str = "", module: str = "") -> None:
        module = module or f"made_{tmp_path.name}_{plugin}".replace("-", "_")
        dist = dist or f"citebot-{plugin}"
        (site / f"{module}.py").write_text(textwrap.dedent(code))
        info = site / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\nSummary: All about {plugin}\n"
        )
        (info / "entry_points.txt").write_text(f"[citebot]\n{plugin} = {point or module}\n")
        modules.append(module)

    yield write
    for module in [name for name in sys.modules if name in modules or name.startswith("_citebot_plugin_")]:
        del sys.modules[module]


def load(*enabled: str, blocked: tuple[str, ...] = (), strict: bool = True, **more: object) -> PluginManager:
    plugins = {"enabled": list(enabled), "blocked": list(blocked), **more.pop("plugins", {})}  # type: ignore[dict-item]
    return PluginManager.load(Settings.model_validate({"plugins": plugins, **more}), strict=strict)


def info(manager: PluginManager, name: str) -> PluginInfo:
    return next(plugin for plugin in manager.plugins() if plugin.name == name)


def refused(*enabled: str, **more: object) -> str:
    with pytest.raises(PluginError) as caught:
        load(*enabled, **more)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_only_what_is_enabled_is_imported(install: Install) -> None:
    install("wanted", SOURCE, module="made_wanted_module")
    install("other", "raise RuntimeError('imported')", module="made_other_module")
    manager = load("wanted")
    assert "made_wanted_module" in sys.modules
    assert "made_other_module" not in sys.modules
    assert info(manager, "wanted").state == "enabled"
    assert info(manager, "wanted").parts == ("source notes",)
    assert (info(manager, "other").state, info(manager, "other").summary) == ("available", "All about other")


def test_the_built_ins_enter_by_the_same_door() -> None:
    manager = load("local")
    assert {part.name for part in manager.parts("embedder")} >= {"local", "none"}
    assert (info(manager, "local").distribution, info(manager, "embedded").state) == ("citebot", "available")


def test_a_blocked_plugin_stays_out_whoever_enables_it(install: Install) -> None:
    install("wanted", "raise RuntimeError('imported')")
    manager = load("wanted", blocked=("wanted",))
    assert info(manager, "wanted").state == "blocked"


def test_an_unknown_plugin_gets_the_nearest_name(install: Install) -> None:
    install("weather", SOURCE)
    assert refused("wether") == "There is no plugin “wether” to load. Did you mean “weather”?"


def test_a_misspelt_hook_is_refused_with_plugin_distribution_and_the_right_name(install: Install) -> None:
    install("typo", "from citebot import hookimpl\n\n@hookimpl\ndef question_recieved(question): ...\n")
    message = refused("typo")
    assert "plugin “typo” of citebot-typo 1.2" in message
    assert "Did you mean “question_received”?" in message


def test_a_misspelt_argument_is_refused(install: Install) -> None:
    install("typo", "from citebot import hookimpl\n\n@hookimpl\ndef question_received(qestion): ...\n")
    assert "qestion" in refused("typo")


def test_a_forgotten_marker_is_refused(install: Install) -> None:
    install("plain", SOURCE.replace("@hookimpl\n", "") + "\n@hookimpl\ndef startup(): ...\n")
    assert "“citebot_register_sources” without @hookimpl" in refused("plain")


def test_a_plugin_without_any_hook_is_refused(install: Install) -> None:
    install("empty", "x = 1\n")
    assert "has no function marked with @hookimpl" in refused("empty")


def test_a_wrapper_is_refused(install: Install) -> None:
    code = "from citebot import hookimpl\n\n@hookimpl(wrapper=True)\ndef startup():\n    return (yield)\n"
    install("wrapping", code)
    assert "wraps the hook “startup”" in refused("wrapping")


def test_two_parts_of_one_name_are_refused_with_both_classes_and_distributions(install: Install) -> None:
    install("first", SOURCE)
    install("second", SOURCE.replace("class Notes", "class Scraps").replace("[Notes]", "[Scraps]"))
    message = refused("first", "second")
    for part in ("source named “notes”", ".Notes", ".Scraps", "citebot-first 1.2", "citebot-second 1.2"):
        assert part in message


def test_two_distributions_with_one_plugin_name_are_refused(install: Install) -> None:
    install("weather", SOURCE, dist="citebot-rain", module="made_rain")
    install("weather", SOURCE, dist="citebot-sun", module="made_sun")
    message = refused("weather")
    assert "citebot-rain" in message
    assert "citebot-sun" in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("    name = 'notes'\n".replace("'", '"'), ""), "has no “name”"),
        (('    summary = "Notes"\n', ""), "has no “summary”"),
        (("    Settings = NoSettings\n", ""), "has no “Settings”"),
        (("Settings = NoSettings", "Settings = dict"), "not a pydantic model"),
        (('name = "notes"', 'name = "My Notes"'), "lower-case"),
        (("    def fetch(self, ctx, ids): return iter(())\n", ""), "lacks fetch: see citebot.ports.Source"),
        (("return [Notes]", "return Notes(None, None)"), "is not a class"),
        (("return [Notes]", "return 1 / 0"), "citebot_register_sources of the plugin “bad” of citebot-bad 1.2 fails"),
    ],
)
def test_a_class_that_is_no_part_is_refused(install: Install, change: tuple[str, str], expected: str) -> None:
    assert change[0] in SOURCE
    install("bad", SOURCE.replace(*change))
    assert expected in refused("bad")


def test_a_third_partys_missing_library_names_the_line_that_installs_it(install: Install) -> None:
    install("far", "import no_such_library_anywhere", point="made_far [sky]", module="made_far")
    message = refused("far")
    assert "“no_such_library_anywhere”, which is not installed: pip install 'citebot-far[sky]'" in message


def refused_without(libraries: set[str], enabled: list[str]) -> str:
    """What the start says without some libraries.

    In a process of its own: a library cannot be taken away from one that has imported it.
    """
    code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {libraries!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from citebot.errors import PluginError
from citebot.pluginmanager import PluginManager
from citebot.settings import Settings
try:
    PluginManager.load(Settings.model_validate({{"plugins": {{"enabled": {enabled!r}}}}}))
except PluginError as error:
    print(error)
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("plugin", "library", "extra"),
    [
        ("embedded", "tantivy", "embedded"),
        ("local", "onnxruntime", "embedded"),
        ("files", "pypdf", "sources"),
        ("console", "starlette", "web"),
    ],
)
def test_a_built_in_without_its_extra_names_the_line_that_installs_it(plugin: str, library: str, extra: str) -> None:
    out = refused_without({library}, [plugin])
    assert f"needs “{library}”, which is not installed: pip install 'citebot[{extra}]'" in out
    assert f"plugin “{plugin}” of citebot" in out


def test_all_missing_extras_are_named_in_one_line() -> None:
    out = refused_without({"tantivy", "onnx", "starlette"}, ["console", "jsonl", "embedded", "local"])
    assert "The plugins “console”, “embedded”, “local” of citebot" in out
    assert "pip install 'citebot[embedded,web]'" in out


def test_a_plugin_that_breaks_on_import_is_named(install: Install) -> None:
    install("broken", "raise ValueError('boom')")
    assert "The plugin “broken” of citebot-broken 1.2 fails when it is imported: ValueError: boom" in refused("broken")


def test_a_lenient_load_lists_what_is_broken_and_keeps_the_rest(install: Install) -> None:
    install("broken", "raise ValueError('boom')")
    install("good", SOURCE)
    manager = load("broken", "good", "nowhere", strict=False)
    assert info(manager, "broken").state == "broken"
    assert "boom" in info(manager, "broken").problem
    assert info(manager, "nowhere").state == "broken"
    assert [part.name for part in manager.parts("source")] == ["notes"]


def test_nothing_of_a_refused_plugin_stays(install: Install) -> None:
    install("half", SOURCE.replace("[Notes]", "[Notes, dict]"))
    manager = load("half", strict=False)
    assert manager.parts("source") == []
    assert info(manager, "half").state == "broken"


def test_single_files_are_dropped_in(install: Install, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "memo.py").write_text('"""Memos."""' + SOURCE)
    (folder / "_helper.py").write_text("raise RuntimeError('imported')")
    manager = load(plugins={"dir": str(folder)})
    assert (info(manager, "memo").summary, info(manager, "memo").distribution) == (
        "Memos.",
        f"the file {folder}/memo.py",
    )
    assert manager.part("source", "notes").__module__ == "_citebot_plugin_memo"


def test_a_dropped_in_file_may_not_take_an_installed_name(install: Install, tmp_path: Path) -> None:
    install("weather", SOURCE)
    (tmp_path / "weather.py").write_text(SOURCE)
    assert "rename it" in refused(plugins={"dir": str(tmp_path)})


def test_a_folder_of_plugins_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"plugins\.dir"):
        load(plugins={"dir": str(tmp_path / "nowhere")})


def test_commands_and_routes_are_added(install: Install) -> None:
    install(
        "tool",
        """
        from citebot import hookimpl

        @hookimpl
        def citebot_register_commands(cli):
            @cli.command()
            def forecast():
                print("rain")

        @hookimpl
        def citebot_register_routes():
            return ["route"]
        """,
    )
    manager = load("tool")
    cli = click.Group()
    manager.register_commands(cli, reserved=["ask"])
    assert list(cli.commands) == ["forecast"]
    assert manager.routes() == ["route"]
    with pytest.raises(PluginError, match="adds a command “forecast”, and there is one already"):
        manager.register_commands(cli)
    with pytest.raises(PluginError, match="forecast"):
        manager.register_commands(click.Group(), reserved=["forecast"])


def test_a_group_joins_the_one_that_may_be_added_to(install: Install) -> None:
    install(
        "tool",
        """
        import click
        from citebot import hookimpl

        @hookimpl
        def citebot_register_commands(cli):
            cli.add_command(click.Group("index", [click.Command("forecast")]))
        """,
    )
    manager = load("tool")
    index = click.Group("index", [click.Command("status")])
    manager.register_commands(click.Group(commands=[index]), reserved=["index"], joined=["index"])
    assert list(index.commands) == ["status", "forecast"]
    with pytest.raises(PluginError, match="adds a command “index forecast”, and there is one already"):
        manager.register_commands(click.Group(commands=[index]), reserved=["index"], joined=["index"])
    with pytest.raises(PluginError, match="adds a command “index”"):
        manager.register_commands(click.Group(), reserved=["index"])


def part_class(kind: str, name: str = "made") -> type:
    """The least a class of this kind must have."""
    names = {method for base in KINDS[kind][1].__mro__ for method in vars(base) if not method.startswith("_")}
    methods = {method: lambda self: None for method in names}
    return type("Made", (), {**methods, "name": name, "summary": "Made", "Settings": NoSettings})


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_registration_hook_brings_its_kind_of_part(kind: str, several: bool) -> None:
    made = part_class(kind)
    hook = KINDS[kind][0]
    plugin = type("Plugin", (), {hook: hookimpl(lambda self: [made] if several else made, specname=hook)})()
    manager = load()
    manager.register(plugin, name="made")
    assert manager.part(kind, "made") is made
    assert manager.sections()[kind] == {"made": NoSettings}


def test_every_registration_hook_is_exercised_here() -> None:
    hooks = {hook for hook, _ in KINDS.values()}
    assert set(hookspecs.REGISTRATION) == hooks | {"citebot_register_commands", "citebot_register_routes"}


PART_WITH_SETTINGS = """
from pydantic import BaseModel
from citebot import hookimpl

class Gentle(BaseModel):
    depth: int = 3
    fields: list[str] = []

class Deep:
    name = "deep"
    summary = "Deep"
    Settings = Gentle
    def __init__(self, settings, context): self.settings = settings
    async def open(self): ...
    async def close(self): ...
    async def rerank(self, question, passages): return []

@hookimpl
def citebot_register_rerankers():
    return [Deep]
"""


def test_a_part_is_built_from_its_own_section(install: Install, tmp_path: Path) -> None:
    install("deep", PART_WITH_SETTINGS)
    choice = Choice.model_validate({"use": "deep", "deep": {"depth": "7"}})
    built = load("deep").build("reranker", choice, PartContext(data_dir=tmp_path))
    assert built.settings.depth == 7


def test_a_wrong_key_in_a_section_is_refused_even_where_the_model_would_ignore_it(install: Install) -> None:
    install("deep", PART_WITH_SETTINGS)
    with pytest.raises(SettingsError) as caught:
        load("deep", reranker={"use": "", "deep": {"dept": 4}})
    assert str(caught.value) == "There is no setting “reranker.deep.dept”. Did you mean “reranker.deep.depth”?"


def test_a_section_for_no_part_is_refused(install: Install) -> None:
    install("deep", PART_WITH_SETTINGS)
    with pytest.raises(SettingsError, match=r"section “reranker\.deap”.*Did you mean “deep”"):
        load("deep", reranker={"use": "", "deap": {}})


def test_a_part_that_is_not_there_gets_the_nearest_name(install: Install, tmp_path: Path) -> None:
    install("deep", PART_WITH_SETTINGS)
    with pytest.raises(SettingsError, match=r"There is no reranker “deeep”\. Did you mean “deep”"):
        load("deep").build("reranker", Choice(use="deeep"), PartContext(data_dir=tmp_path))
    with pytest.raises(SettingsError, match="No reranker is chosen"):
        load("deep").build("reranker", Choice(use=""), PartContext(data_dir=tmp_path))
