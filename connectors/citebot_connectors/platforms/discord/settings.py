"""Settings of the Discord app."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

Snowflake = Annotated[str, StringConstraints(pattern=r"^\d{15,20}$")]
BASE_URL = "https://discord.com/api/v10"


class DiscordSettings(BaseModel):
    """`[platform.discord]`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    bot_token: SecretStr = Field(SecretStr(""), description="Token of the app's bot, from the page Bot.")
    guilds: list[Snowflake] = Field(
        [],
        description="Ids of the servers whose members are your team. Everywhere else only documents are used that are "
        "marked for the channel, and whoever asks is a guest.",
    )
    guest_roles: list[Snowflake] = Field([], description="Ids of roles whose members are guests in these servers.")
    people: dict[Snowflake, str] = Field(
        {},
        description="What people are called in lists of readers, by their Discord ids; others are their Discord id.",
    )
    admins: list[Snowflake] = Field(
        [], description="Discord ids of people who may use `/citebot`, besides those who manage one of `guilds`."
    )
    experts: list[Snowflake] = Field(
        [], description="Discord ids of the people whom “Ask a human” asks, where they can see the channel."
    )
    language: Literal["en", "de", "auto"] = Field(
        "auto", description="Language of buttons and notices; `auto` takes each person's own, or the server's."
    )
    catch_up: float = Field(
        24.0,
        ge=0,
        le=168,
        description="Hours to read back after an outage, for mentions that were missed; 0 reads nothing back.",
    )
    answered_tag: str = Field(
        "answered", description="Tag that a forum post gets when it is answered, if there is one."
    )
    solved_tag: str = Field("solved", description="Tag that a forum post gets when its answer helped, if there is one.")
    sharded: bool = Field(
        False, description="Open as many connections as Discord recommends; needed from 2,500 servers."
    )
    development_guild: Snowflake | None = Field(
        None, description="Id of a server that gets the commands at once, in place of all; for development."
    )
    base_url: str = Field(
        BASE_URL, pattern=r"^https?://", description="Where the REST API is; change it for tests only."
    )
    gateway_url: str = Field("", description="Where the gateway is; for tests only.")

    @property
    def token(self) -> str:
        """The token as it is sent."""
        return self.bot_token.get_secret_value().strip()

    @property
    def application_id(self) -> str:
        """The id of the app, which is the first part of its token; empty where the token is none."""
        return application_id(self.token)


def application_id(token: str) -> str:
    """The id of the app that a token belongs to; empty for what is no bot token."""
    first, *rest = token.split(".")
    try:
        found = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return found if len(rest) == 2 and re.fullmatch(r"\d{15,20}", found) else ""
