"""Running one hook implementation so that it can neither raise into us, nor hang us, nor block the event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from citebot.pluginmanager.loading import Origin


class HookFailed(Exception):
    """An implementation failed; the message is for the log and for admins."""


@dataclass(frozen=True, slots=True)
class Implementation:
    """One plugin's function for one hook."""

    hook: str
    origin: Origin
    function: Callable[..., Any]
    argnames: tuple[str, ...]

    def call(self, values: Mapping[str, Any]) -> Any:
        """Call it with the arguments it asks for."""
        return self.function(*(values[name] for name in self.argnames))

    @property
    def is_async(self) -> bool:
        """Whether calling it only makes a coroutine."""
        return inspect.iscoroutinefunction(self.function)


async def run(implementation: Implementation, values: Mapping[str, Any], *, timeout: float) -> Any:
    """Run on the event loop; plain functions go to a thread of their own."""
    try:
        return await _within(_result(implementation, values), timeout)
    except TimeoutError as error:
        raise HookFailed(f"took longer than {timeout:g} seconds") from error
    except HookFailed:
        raise
    except Exception as error:  # a plugin may raise anything
        raise HookFailed(f"{type(error).__name__}: {error}") from error


def run_blocking(
    implementation: Implementation,
    values: Mapping[str, Any],
    *,
    timeout: float,
    loop: asyncio.AbstractEventLoop | None,
) -> Any:
    """Run from a worker thread.

    Coroutines go to `loop`, where the plugin's own clients live, or to a loop of their own when there is none.
    """

    async def whole() -> Any:
        return await run(implementation, values, timeout=timeout)

    if loop is not None and loop.is_running() and not _is_current(loop):
        future = asyncio.run_coroutine_threadsafe(whole(), loop)
    else:
        future = _in_thread(lambda: asyncio.run(whole()))
    try:
        # The loop itself enforces the limit; the second on top is for a loop that is held up.
        return future.result(timeout + 1)
    except concurrent.futures.TimeoutError as error:
        future.cancel()
        raise HookFailed(f"took longer than {timeout:g} seconds") from error


def _is_current(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


async def _result(implementation: Implementation, values: Mapping[str, Any]) -> Any:
    try:
        if implementation.is_async:
            return await implementation.call(values)
        result = await asyncio.wrap_future(_in_thread(lambda: implementation.call(values)))
        return await result if inspect.isawaitable(result) else result
    except (Exception, asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        # SystemExit and its like would leave the task and end the event loop.
        raise HookFailed(f"{type(error).__name__}: {error}") from error


async def _within(work: Any, timeout: float) -> Any:
    """Wait at most so long. Unlike `asyncio.wait_for`, does not wait for a task that ignores its cancellation."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if done:
        if task.cancelled():
            raise HookFailed("cancelled itself")
        return task.result()
    task.add_done_callback(_forget)
    task.cancel()
    raise TimeoutError


def _forget(task: asyncio.Future[Any]) -> None:
    # Reads the late result so that nobody is warned about an exception that was never retrieved.
    if not task.cancelled():
        task.exception()


def _in_thread(work: Callable[[], Any]) -> concurrent.futures.Future[Any]:
    """Run in a daemon thread of its own: a pool would fill up with hung hooks and would hold up the exit."""
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    context = contextvars.copy_context()

    def body() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(context.run(work))
        except asyncio.CancelledError:
            future.set_exception(HookFailed("cancelled itself"))
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits, SystemExit included
            future.set_exception(error)

    threading.Thread(target=body, name="citebot-hook", daemon=True).start()
    return future
