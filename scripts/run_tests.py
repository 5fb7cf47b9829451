"""Runs everything that must hold before a change is taken, in an order in which the quick steps come first.

    python scripts/run_tests.py            all steps, up to the first that fails
    python scripts/run_tests.py lint types some of them

With CI=true a server that cannot be had is a failure; otherwise the last lines say which tests were left out and how
to enable them. PYTEST_ARGS is handed to pytest; the floor of the coverage is for all tests only.
"""

from __future__ import annotations

import collections
import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import venv
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
WORK = ROOT / ".cache" / "test"
COVERAGE_FLOOR = 85

FOREIGN = {
    *("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT", "PIP_REQUIREMENT"),
    *("PIP_REQUIRE_HASHES", "PIP_NO_DEPS", "PIP_NO_BUILD_ISOLATION", "PIP_EDITABLE", "PIP_PYTHON"),
    *("PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS"),
}
"""Variables of the machine that would change what is tested or where packages go."""


class StepFailed(Exception):
    """A step did not hold; what it printed says why."""


def environment() -> dict[str, str]:
    """Ours, without settings of a Citebot on this machine."""
    mine = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    kept = {
        key: value for key, value in mine.items() if not key.startswith("CITEBOT_") or key.startswith("CITEBOT_TEST_")
    }
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def run(*command: str | Path, folder: Path = ROOT, extra: Mapping[str, str] | None = None) -> None:
    """Run a command and fail the step if it fails."""
    print("$", shlex.join(map(str, command)), flush=True)
    done = subprocess.run(list(map(str, command)), cwd=folder, env={**environment(), **(extra or {})}, check=False)
    if done.returncode:
        raise StepFailed(f"{Path(str(command[0])).name} ended with {done.returncode}")


def step_format() -> None:
    run(BIN / "ruff", "format", "--check", ".")


def step_lint() -> None:
    run(BIN / "ruff", "check", ".")


def step_imports() -> None:
    run(BIN / "lint-imports")


def step_types() -> None:
    run(BIN / "mypy")


def step_tests() -> None:
    """Start the servers, then run all tests on two processors with branch coverage."""
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    report = WORK / "tests.xml"
    options = [
        "-n",
        "2",
        "--dist",
        "loadgroup",
        f"--junitxml={report}",
        *shlex.split(os.environ.get("PYTEST_ARGS", "")),
    ]
    settings = {"COVERAGE_FILE": str(ROOT / ".coverage"), "COVERAGE_RCFILE": str(ROOT / "pyproject.toml"), **servers()}
    try:
        run(sys.executable, "-m", "coverage", "run", "-m", "pytest", *options, extra=settings)
    finally:
        LEFT_OUT.update(left_out(report))
    floor = [] if os.environ.get("PYTEST_ARGS") else [f"--fail-under={COVERAGE_FLOOR}"]
    run(sys.executable, "-m", "coverage", "combine", "--quiet")
    run(sys.executable, "-m", "coverage", "report", "--skip-covered", "--skip-empty", *floor)


def servers() -> dict[str, str]:
    """Start what the tests need; it stops with this process."""
    script = ROOT / "scripts" / "services" / "all.sh"
    done = subprocess.run(
        [script, str(os.getpid())], stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT, check=False
    )
    if done.returncode:
        raise StepFailed("a server that the tests need cannot be had on this machine")
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


DOES_NOT_APPLY = re.compile(r"[A-L]\d+: ")
"""A check of the conformance kit that says nothing about one kind of source: no server would enable it."""
LEFT_OUT: collections.Counter[str] = collections.Counter()


def left_out(report: Path) -> collections.Counter[str]:
    """How many tests were skipped, by reason."""
    if not report.is_file():
        return collections.Counter()
    # Our own pytest wrote the file.
    skipped = ElementTree.parse(report).getroot().iter("skipped")  # noqa: S314
    reasons = [str(found.get("message")) for found in skipped if found.get("type") == "pytest.skip"]
    return collections.Counter(reason for reason in reasons if not DOES_NOT_APPLY.match(reason))


def step_docs() -> None:
    run(sys.executable, "scripts/docs.py", "--check")


def step_wheel() -> None:
    """Build sdist and wheel, look into the wheel, and install it bare: no extra, nothing but the core."""
    inside = zipfile.ZipFile(wheel()).namelist()
    for name in (
        "citebot/py.typed",
        "citebot_connectors/py.typed",
        "citebot_plugins/py.typed",
        "citebot_migrations/py.typed",
    ):
        if name not in inside:
            raise StepFailed(f"the wheel lacks {name}")
    for name in ("LICENSE", "NOTICE"):
        if not any(path.endswith(f".dist-info/licenses/{name}") for path in inside):
            raise StepFailed(f"the wheel lacks {name}")
    bare = clean_environment("bare", "core")
    citebot = bare / "bin" / "citebot"
    run(citebot, "--help", folder=bare)
    run(bare / "bin" / "python", "-m", "citebot", "--version", folder=bare)
    run(citebot, "source", "new", "intranet", folder=bare)
    expect_extra_is_named(citebot, bare)


def expect_extra_is_named(citebot: Path, folder: Path) -> None:
    """Without extras the default plugins cannot be used, and the message must say what to install."""
    done = subprocess.run(
        [citebot, "--data-dir", folder / "data", "ask", "Where?"],
        capture_output=True, text=True, env=environment(), cwd=folder, check=False,
    )  # fmt: skip
    print(done.stderr, end="")
    if done.returncode != 1 or "pip install 'citebot[" not in done.stderr or "Traceback" in done.stderr:
        raise StepFailed("without extras, `citebot ask` does not say which extra to install")


def step_first_run() -> None:
    """The wheel with the extras of the first run, in an empty folder with a clean environment."""
    folder = full_environment()
    run(ROOT / "scripts" / "first_run.sh", folder / "bin", folder=folder)


def step_example_plugin() -> None:
    """A third party's package, installed beside the wheel and tested with the shipped kit."""
    folder = full_environment()
    pip(folder, "install", "--require-hashes", "-r", ROOT / "requirements" / "testing.txt")
    example = WORK / "example_plugin"
    shutil.rmtree(example, ignore_errors=True)
    shutil.copytree(ROOT / "tests" / "example_plugin", example)
    pip(folder, "install", "--no-deps", "--no-build-isolation", example)
    run(folder / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", folder=example)


@functools.cache
def wheel() -> Path:
    """The wheel of this checkout, built once per run by way of the sdist."""
    shutil.rmtree(WORK / "dist", ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", WORK / "dist", ".")
    (built,) = (WORK / "dist").glob("citebot-*.whl")
    return built


@functools.cache
def full_environment() -> Path:
    """The wheel with the extras of the first run, made once per run."""
    return clean_environment("full", "runtime")


def clean_environment(name: str, requirements: str) -> Path:
    """A new virtual environment with the pinned packages and the wheel, and nothing of this checkout."""
    built = wheel()
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    pip(folder, "install", "--require-hashes", "-r", ROOT / "requirements" / f"{requirements}.txt")
    pip(folder, "install", "--no-deps", "--no-index", built)
    return folder


def pip(folder: Path, *arguments: str | Path) -> None:
    run(folder / "bin" / "python", "-m", "pip", "--quiet", *arguments, folder=folder)


STEPS: dict[str, Callable[[], None]] = {
    "format": step_format,
    "lint": step_lint,
    "imports": step_imports,
    "types": step_types,
    "tests": step_tests,
    "docs": step_docs,
    "wheel": step_wheel,
    "first_run": step_first_run,
    "example_plugin": step_example_plugin,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(f"There is no step “{unknown[0]}”; the steps are {', '.join(STEPS)}.")
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    took: dict[str, float] = {}
    failure = ""
    for name in names or STEPS:
        print(f"\n=== {name}", flush=True)
        started = time.monotonic()
        try:
            STEPS[name]()
        except StepFailed as error:
            failure = f"{name}: {error}"
        took[name] = time.monotonic() - started
        if failure:
            break
    summarise(took, failure)
    return 1 if failure else 0


def summarise(took: dict[str, float], failure: str) -> None:
    """Timings, then what was left out, last of all the verdict."""
    print("\n=== summary")
    for name, seconds in took.items():
        print(f"{name:16}{seconds:8.1f} s")
    print(f"{'in all':16}{sum(took.values()):8.1f} s")
    if LEFT_OUT:
        print(f"\n{sum(LEFT_OUT.values())} tests were left out:")
        for reason, count in LEFT_OUT.most_common():
            print(f"  {count:4}  {reason}")
        print("On Debian as root, `make test` installs what they need; elsewhere do what each line says.")
    print(f"\nFAILED at {failure}" if failure else "\nEverything holds.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
