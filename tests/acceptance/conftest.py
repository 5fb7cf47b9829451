"""A browser and the web chat over a scripted desk, for the tests that click."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from citebot.ports import Inbound, PartContext
from citebot.testing.scripted_desk import Pause, ScriptedDesk
from citebot.testing.scripted_handbook import handbook_desk
from citebot_connectors.platforms.console.platform import ConsolePlatform
from citebot_connectors.platforms.console.settings import ConsoleSettings

SCREENSHOTS = Path(__file__).resolve().parents[2] / ".cache" / "screenshots"
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SUGGESTIONS = [
    "What is the daily allowance?",
    "How do I restore the billing database?",
    "What happens on my first day?",
]


class World:
    """The web chat with a scripted desk, in a thread of its own."""

    def __init__(self, **settings: Any) -> None:
        self.pauses: list[Pause] = []
        self.holds = False
        self.platform = ConsolePlatform(ConsoleSettings(port=0, **settings), PartContext(data_dir=Path()))
        self.platform.announce = lambda line: None
        self.desk: ScriptedDesk = handbook_desk(self._pause)
        self.desk.platform = self.platform
        self._start()

    def _start(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(20), "the web chat did not start"

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self.platform.run(self.desk))
        await self.platform.listening.wait()
        self._ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.desk.close()

    def _pause(self, inbound: Inbound) -> Pause | None:
        if not self.holds:
            return None
        self.pauses.append(Pause())
        return self.pauses[-1]

    def release(self) -> None:
        """Let the answer that waits in the middle go on."""
        self.holds = False
        self._loop.call_soon_threadsafe(self.pauses[-1].gate.set)

    def restart(self) -> None:
        """Kill the web chat without goodbye to its memory; a new one takes its place with the same desk and port."""
        self.close()
        port = int(self.platform.address.rsplit(":", 1)[1])
        self.platform = ConsolePlatform(ConsoleSettings(port=port, port_search=1), PartContext(data_dir=Path()))
        self.platform.announce = lambda line: None
        self.desk.platform = self.platform
        self._start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(20)


class Page:
    """What a person can do with the page."""

    def __init__(self, driver: Any, world: World) -> None:
        self.driver = driver
        self.world = world

    def visit(self) -> None:
        self.driver.get(self.world.platform.address)
        self.until(lambda: self.driver.execute_script("return document.documentElement.dataset.ready === 'true'"))

    def until(self, check: Callable[[], Any]) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 10, poll_frequency=0.05).until(lambda _: check())

    def all(self, css: str) -> list[Any]:
        return self.driver.find_elements("css selector", css)

    def one(self, css: str) -> Any:
        return self.until(lambda: next((e for e in self.all(css) if e.is_displayed()), None))

    def click(self, css: str) -> None:
        self.one(css).click()

    def ask(self, text: str) -> None:
        self.one("#question").send_keys(text, "\ue007")  # Enter

    def answered(self, count: int = 1) -> None:
        self.until(lambda: len(self.all(".turn[aria-busy=false]")) == count)

    def press(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    @property
    def focused(self) -> Any:
        return self.driver.switch_to.active_element

    def shot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def size(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def complaints(self) -> list[str]:
        """What the browser's console complains about: errors, and everything the content policy had to stop."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if BROWSER is None or DRIVER is None:
        line = "Chromium and its driver are missing: run scripts/services/chromium.sh as root"
        pytest.fail(line) if os.environ.get("CI") else pytest.skip(line)
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--force-color-profile=srgb",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield started
    started.quit()


@pytest.fixture
def worlds() -> Iterator[Callable[..., World]]:
    """Makes web chats with other settings."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> World:
            made = World(**settings)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def world() -> Iterator[World]:
    made = World(suggestions=SUGGESTIONS)
    yield made
    made.close()


@pytest.fixture
def page(driver: Any, world: World) -> Iterator[Page]:
    page = Page(driver, world)
    page.size(1360, 860)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
    )
    page.complaints()
    page.visit()
    yield page
    assert page.complaints() == []
    page.size(1360, 860)
    driver.execute_script("localStorage.clear(); sessionStorage.clear()")
