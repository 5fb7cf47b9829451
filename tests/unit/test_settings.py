"""One order of settings, and one clear line for everything that is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

import citebot
from citebot.errors import SettingsError
from citebot.settings import Settings, load_settings, schema, show
from citebot.settings.checking import validated
from citebot.settings.environment import declared_paths, variable


class Home:
    """A working folder, a data folder and an environment to load from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.data = folder / "data"
        self.folder.mkdir()
        self.data.mkdir()
        self.environ = {"CITEBOT_DATA_DIR": str(self.data)}

    def load(self, config: Path | None = None, **flags: Any) -> Settings:
        overrides = {key.replace("__", "."): value for key, value in flags.items()}
        return load_settings(config, overrides, environ=self.environ, folder=self.folder)

    def refused(self, **flags: Any) -> str:
        with pytest.raises(SettingsError) as caught:
            self.load(**flags)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)
        return str(caught.value)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_flags_beat_the_environment_which_beats_the_file_which_beats_the_default(home: Home) -> None:
    default = Settings().answering.threshold
    assert home.load().answering.threshold == default
    (home.folder / "citebot.toml").write_text("[answering]\nthreshold = 0.1\npassages = 3\n")
    assert home.load().answering.threshold == 0.1
    home.environ["CITEBOT_ANSWERING__THRESHOLD"] = "0.2"
    assert home.load().answering.threshold == 0.2
    loaded = home.load(answering__threshold="0.3")
    assert (loaded.answering.threshold, loaded.answering.passages) == (0.3, 3)


def test_the_file_is_looked_for_in_four_places(home: Home, tmp_path: Path) -> None:
    places = [tmp_path / "flag.toml", tmp_path / "env.toml", home.folder / "citebot.toml", home.data / "citebot.toml"]
    for number, path in enumerate(places, start=1):
        path.write_text(f"[answering]\npassages = {number}\n")
    home.environ["CITEBOT_CONFIG"] = str(places[1])
    assert home.load(places[0]).answering.passages == 1
    assert home.load().answering.passages == 2
    del home.environ["CITEBOT_CONFIG"]
    assert home.load().answering.passages == 3
    places[2].unlink()
    assert home.load().answering.passages == 4


def test_a_named_file_that_is_not_there_is_refused(home: Home, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--config"):
        home.load(tmp_path / "nowhere.toml")
    home.environ["CITEBOT_CONFIG"] = "nowhere.toml"
    assert "CITEBOT_CONFIG" in home.refused()


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("[answering]\ntreshold = 1\n", "“answering.treshold” (in {path}). Did you mean “answering.threshold”?"),
        ("[answring]\nthreshold = 1\n", "“answring” (in {path}). Did you mean “answering”?"),
        ("threshold = 1\n", "“threshold” (in {path}). Did you mean “answering.threshold”?"),
        ("[index]\nuser = 'embedded'\n", "“index.user” (in {path}). Did you mean “index.use”?"),
    ],
)
def test_an_unknown_key_gets_the_nearest_right_one(home: Home, toml: str, expected: str) -> None:
    path = home.folder / "citebot.toml"
    path.write_text(toml)
    assert home.refused() == "There is no setting " + expected.format(path=path)


def test_an_unknown_flag_and_an_unknown_variable_are_refused_too(home: Home) -> None:
    assert "“log.levle” (in the command line). Did you mean “log.level”?" in home.refused(log__levle="debug")
    home.environ["CITEBOT_LOG__LEVLE"] = "debug"
    assert home.refused().endswith("CITEBOT_LOG__LEVLE names no setting. Did you mean “CITEBOT_LOG__LEVEL”?")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CITEBOT_SERVICE_HOST", "10.0.0.1"),
        ("CITEBOT_SERVICE_PORT_HTTP", "80"),
        ("CITEBOT_PORT", "tcp://10.0.0.1:80"),
        ("CITEBOT_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("CITEBOT_DB_SERVICE_PORT", "5432"),
        ("CITEBOT_TEST_ANYTHING", "1"),
    ],
)
def test_variables_a_cluster_sets_by_itself_are_left_alone(home: Home, name: str, value: str) -> None:
    home.environ[name] = value
    home.load()


def test_a_wrong_value_is_named_with_its_place(home: Home) -> None:
    path = home.folder / "citebot.toml"
    path.write_text("[answering]\nthreshold = 7\n")
    message = home.refused()
    assert message.startswith(f"“answering.threshold” (in {path}): input should be less than or equal to 1, not “7”.")
    home.environ["CITEBOT_ANSWERING__THRESHOLD"] = "high"
    assert "(in CITEBOT_ANSWERING__THRESHOLD)" in home.refused()


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"[answering]\nthreshold = \n", "line 2, column 13"),
        (b"[answering\n", "line 1"),
        (b'a = """open', "line 1, column"),
        (b"# caf\xe9\n", "at line 1"),
        (b"[log]\nlevel = 'debug'\nlevel = 'info'\n", "line 3"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_with_line_and_column(home: Home, content: bytes, place: str) -> None:
    path = home.folder / "citebot.toml"
    path.write_bytes(content)
    message = home.refused()
    assert message.startswith(f"{path}: not ")
    assert place in message


def test_any_value_can_come_from_a_file(home: Home, tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://citebot:pw@db/citebot\n")
    (tmp_path / "count").write_text("4\n")
    home.environ["CITEBOT_DATABASE__URL_FILE"] = str(secret)
    home.environ["CITEBOT_ANSWERING__PASSAGES_FILE"] = str(tmp_path / "count")
    loaded = home.load()
    assert loaded.database.url.get_secret_value() == "postgresql+psycopg://citebot:pw@db/citebot"
    assert loaded.answering.passages == 4


def test_a_secret_file_that_cannot_be_read_is_named(home: Home, tmp_path: Path) -> None:
    home.environ["CITEBOT_DATABASE__URL_FILE"] = str(tmp_path / "nowhere")
    message = home.refused()
    assert "CITEBOT_DATABASE__URL_FILE" in message
    assert "No such file" in message


class Endpoint(BaseModel):
    """Settings of a part, one of them named like a file."""

    key: str = ""
    ca_file: Path | None = None


def test_a_part_has_values_from_files_and_settings_that_name_files(home: Home, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("sesame\n")
    (home.folder / "citebot.toml").write_text('[index.shop]\nkey = "weaker"')
    home.environ |= {"CITEBOT_INDEX__SHOP__KEY_FILE": str(secret), "CITEBOT_INDEX__SHOP__CA_FILE": str(secret)}

    endpoint = validated(Endpoint, home.load().index.settings_of("shop"))
    assert endpoint == Endpoint(key="sesame", ca_file=secret)


def test_a_file_of_a_part_that_cannot_be_read_is_named(home: Home, tmp_path: Path) -> None:
    home.environ["CITEBOT_INDEX__SHOP__KEY_FILE"] = str(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"“index.shop.key_file” names the file “.*nowhere”, which cannot be read"):
        validated(Endpoint, home.load().index.settings_of("shop"), section="index.shop")


@pytest.mark.parametrize("setting", ["DATABASE__URL", "INDEX__SHOP__KEY"])
def test_value_and_file_at_once_are_refused(home: Home, tmp_path: Path, setting: str) -> None:
    (tmp_path / "url").write_text("sqlite://")
    home.environ |= {f"CITEBOT_{setting}": "x", f"CITEBOT_{setting}_FILE": str(tmp_path / "url")}
    assert home.refused() == f"CITEBOT_{setting} and CITEBOT_{setting}_FILE are both set; keep one of them."


@pytest.mark.parametrize(
    ("text", "expected"), [("console, files", ["console", "files"]), ('["local"]', ["local"]), ("", [])]
)
def test_lists_are_written_with_commas_or_as_json(home: Home, text: str, expected: list[str]) -> None:
    home.environ["CITEBOT_PLUGINS__ENABLED"] = text
    assert home.load().plugins.enabled == expected
    assert home.load(plugins__enabled="x").plugins.enabled == ["x"]


def test_tables_are_written_as_json(home: Home) -> None:
    home.environ["CITEBOT_ACCESS__GROUPS"] = '{"board": ["alice"]}'
    assert home.load().access.groups == {"board": ["alice"]}
    home.environ["CITEBOT_ACCESS__GROUPS"] = "board"
    assert "takes JSON" in home.refused()


def test_a_sub_section_alone_leaves_the_choice_of_the_part(home: Home) -> None:
    home.environ["CITEBOT_INDEX__EMBEDDED__THREADS"] = "2"
    loaded = home.load()
    assert (loaded.index.use, loaded.index.settings_of("embedded")) == ("embedded", {"threads": "2"})


def test_every_setting_has_a_variable(home: Home) -> None:
    for path in declared_paths():
        assert re.fullmatch(r"CITEBOT_[A-Z_]+", variable(path))
    home.environ["CITEBOT_DELIVERY__WORKERS"] = "9"
    assert home.load().delivery.workers == 9


def test_building_the_tree_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITEBOT_ANSWERING__THRESHOLD", "0.9")
    assert Settings().answering.threshold == 0.5
    assert load_settings().answering.threshold == 0.9


class Remote(BaseModel):
    endpoint: str = ""
    key: SecretStr = SecretStr("")


def test_secrets_are_masked(home: Home) -> None:
    home.environ |= {
        "CITEBOT_DATABASE__URL": "postgresql://u:hunter2@h/d",
        "CITEBOT_INDEX__REMOTE__KEY": "hunter2",
        "CITEBOT_INDEX__REMOTE__ENDPOINT": "https://u:hunter2@h",
        "CITEBOT_GENERATOR__FAR__API_KEY": "hunter2",
        "CITEBOT_PLATFORM__CONSOLE__TOKENS__ALICE": "hunter2",
    }
    shown = show(home.load(), {"index": {"remote": Remote}})
    assert "hunter2" not in str(shown)
    assert shown["index"]["remote"]["endpoint"] == "https://u:**********@h"
    assert shown["answering"]["threshold"] == 0.5


def test_a_secret_that_is_wrong_is_not_repeated(home: Home) -> None:
    (home.folder / "citebot.toml").write_text("[database]\nurl = 5\n")
    assert "5" not in home.refused().replace(str(home.folder), "")


def test_the_schema_has_the_sections_of_the_parts() -> None:
    whole = schema({"index": {"remote": Remote}, "source": {"wiki": Remote}})
    index = whole["properties"]["index"]
    assert index["properties"]["use"]["enum"] == ["", "remote"]
    assert set(index["properties"]["remote"]["properties"]) == {"endpoint", "key"}
    assert whole["properties"]["answering"]
    assert "source" not in whole["properties"]


def test_every_setting_says_what_it_is() -> None:
    silent = [
        f"{name}.{key}"
        for name, field in Settings.model_fields.items()
        for key, inner in getattr(field.annotation, "model_fields", {}).items()
        if not inner.description and key != "use"
    ]
    assert silent == []


def test_nothing_else_reads_the_environment() -> None:
    package = Path(citebot.__file__).parent
    roots = [package, *(package.parents[1] / folder for folder in ("connectors", "plugins", "alembic"))]
    files = [path for root in roots if root.is_dir() for path in root.rglob("*.py")]
    reading = re.compile(r"\bos\.(environ|getenv|putenv)|\bfrom os import|\benvvar\b")
    found = {path for path in files if reading.search(path.read_text(encoding="utf-8"))}
    assert found - set((package / "settings").glob("*.py")) == set()
    assert package / "settings" / "environment.py" in found
