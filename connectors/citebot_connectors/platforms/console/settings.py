"""Settings of the web chat, refused at start when they would open it to the wrong people."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

SHORTEST_TOKEN = 16


class ConsoleSettings(BaseModel):
    """`[platform.console]`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="Address to listen on; any but a loopback address needs a token.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    port_search: int = Field(20, ge=1, le=1000, description="Ports to try, counting up, when the first is taken.")
    title: str = Field("Citebot", min_length=1, max_length=60, description="Name shown in the page.")
    person: str = Field("local", min_length=1, max_length=200, description="Who asks when nothing else says so.")
    token: SecretStr = Field(SecretStr(""), description="Secret that signs people in as `person`.")
    tokens: dict[str, SecretStr] = Field({}, description="One secret per person: who holds it asks as that person.")
    people: dict[str, str] = Field(
        {}, description="For demos on this machine only: people to choose from, id and the words shown."
    )
    suggestions: list[str] = Field([], max_length=8, description="Questions offered in an empty conversation.")

    @model_validator(mode="after")
    def _only_to_the_right_people(self) -> Self:
        given = [secret.get_secret_value() for secret in (self.token, *self.tokens.values())]
        secrets = [secret for secret in given if secret]
        if not self.local and not secrets:
            raise ValueError(
                f"host {self.host} is reachable from other machines, so the web chat needs a token: "
                "set platform.console.token or platform.console.tokens, or listen on 127.0.0.1"
            )
        if not self.local and self.people:
            raise ValueError(
                "people lets anyone ask as anyone, so it works only with a loopback host such as 127.0.0.1"
            )
        if secrets and self.people:
            raise ValueError("people lets anyone ask as anyone, so it cannot be used together with tokens")
        if any(len(secret) < SHORTEST_TOKEN for secret in secrets):
            raise ValueError(f"a token must have at least {SHORTEST_TOKEN} characters")
        if any(not secret.get_secret_value() for secret in self.tokens.values()):
            raise ValueError("every entry of tokens needs a secret")
        if len(set(secrets)) != len(secrets):
            raise ValueError("two people have the same token")
        return self

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def secrets(self) -> dict[str, str]:
        """The secret of each person who has one."""
        own = {person: secret.get_secret_value() for person, secret in self.tokens.items()}
        shared = self.token.get_secret_value()
        return {**({self.person: shared} if shared and self.person not in own else {}), **own}


def is_loopback(host: str) -> bool:
    """Whether a host name or address names this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
