"""What all parts have in common, and what their host gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel


class Vault(Protocol):
    """Keeps a part's secrets: encrypted, shared by all processes, over restarts. Raises `StorageError`."""

    async def get(self, name: str) -> str | None:
        """What was kept under a name."""

    async def put(self, name: str, value: str) -> None:
        """Keep a value durably, in the place of an older one. Names have up to 255 characters."""

    async def delete(self, name: str) -> None:
        """Forget it; nothing happens when there is none."""

    async def names(self, prefix: str = "") -> list[str]:
        """The names that begin so, in order."""

    def lock(self, name: str, *, seconds: float) -> AbstractAsyncContextManager[bool]:
        """Have a name for oneself, at most so long; False when somebody else has it."""


class MemoryVault:
    """Forgets all at the end of the process: for parts that are built alone."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}
        self._locked: set[str] = set()

    async def get(self, name: str) -> str | None:
        return self._kept.get(name)

    async def put(self, name: str, value: str) -> None:
        self._kept[name] = value

    async def delete(self, name: str) -> None:
        self._kept.pop(name, None)

    async def names(self, prefix: str = "") -> list[str]:
        return sorted(name for name in self._kept if name.startswith(prefix))

    @asynccontextmanager
    async def lock(self, name: str, *, seconds: float) -> AsyncIterator[bool]:
        free = name not in self._locked
        self._locked.add(name)
        try:
            yield free
        finally:
            if free:
                self._locked.discard(name)


@dataclass(frozen=True, slots=True)
class PartContext:
    """What a part gets from its host."""

    data_dir: Path
    """A folder of this part's own; created on first use by the part."""
    vault: Vault = field(default_factory=MemoryVault)
    """For platforms."""


class Part(Protocol):
    """What all registered classes have in common."""

    name: ClassVar[str]
    summary: ClassVar[str]
    Settings: ClassVar[type[BaseModel]]

    def __init__(self, settings: Any, context: PartContext) -> None: ...


class NoSettings(BaseModel):
    """For parts without settings."""

    model_config = {"extra": "forbid"}
