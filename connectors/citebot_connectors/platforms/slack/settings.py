"""Settings of the Slack app."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

PREFIXES = {"bot_token": "xoxb-", "app_token": "xapp-"}


class SlackSettings(BaseModel):
    """`[platform.slack]`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    bot_token: SecretStr = Field(SecretStr(""), description="Token of the app's bot user, from OAuth & Permissions.")
    app_token: SecretStr = Field(SecretStr(""), description="App-level token with connections:write, for Socket Mode.")
    signing_secret: SecretStr = Field(SecretStr(""), description="Signing secret of the app, for mode `http`.")
    mode: Literal["socket", "http"] = Field(
        "socket", description="How Slack reaches us: `socket` needs no public address, `http` does."
    )
    host: str = Field("127.0.0.1", description="Where to listen in mode `http`; a proxy with TLS stands before it.")
    port: int = Field(8766, ge=0, le=65535, description="Port to listen on in mode `http`.")
    client_id: str = Field("", description="Client ID of the app, to serve several workspaces; needs mode `http`.")
    client_secret: SecretStr = Field(
        SecretStr(""), description="Client secret of the app, to serve several workspaces."
    )
    workspaces: list[str] = Field(
        [], description="Ids (T…) of the workspaces that may install the app; their members may ask as your own."
    )
    base_url: str = Field(
        "https://slack.com/api/", pattern=r"^https?://", description="Where the Web API is; change it for tests only."
    )
    language: Literal["en", "de", "auto"] = Field(
        "auto", description="Language of buttons and notices; `auto` takes each person's own."
    )
    people: Literal["mail", "id"] = Field(
        "mail", description="What people are called in lists of readers: their e-mail address, or their Slack id."
    )

    command: str = Field(
        "/ask", pattern=r"^/[a-z0-9_-]{1,31}$", description="The slash command; another one where /ask is taken."
    )
    suggestions: list[str] = Field(
        [], max_length=3, description="Questions offered when somebody opens the app's Messages tab."
    )

    live_search: bool = Field(
        False,
        description="Search the public channels too, with Slack's own search and as whoever asks; keeps no copy of "
        "them. Needs the scope search:read.public.",
    )

    catch_up: float = Field(
        24.0,
        ge=0,
        le=168,
        description="Hours to read back after an outage, for questions that were missed; 0 reads nothing back.",
    )
    admins: list[str] = Field(
        [], description="Slack ids of people who may use `/ask admin`, besides the workspace's admins and owners."
    )

    experts: list[str] = Field(
        [],
        description="Slack ids of the users and user groups whom “Ask a human” asks, where they are in the channel; "
        "without any, whoever made the channel.",
    )

    @property
    def misplaced(self) -> list[str]:
        """The names of tokens that are not what they should be; not refused, so that the doctor can be called."""
        tokens = {name: getattr(self, name).get_secret_value() for name in PREFIXES}
        return [name for name, token in tokens.items() if token and not token.startswith(PREFIXES[name])]

    @property
    def missing(self) -> list[str]:
        """The names of the settings without which this mode cannot work."""
        if self.several:
            return [name for name in ("signing_secret", "client_secret") if not getattr(self, name).get_secret_value()]
        needed = ("bot_token", "app_token") if self.mode == "socket" else ("bot_token", "signing_secret")
        return [name for name in needed if not getattr(self, name).get_secret_value()]

    @property
    def several(self) -> bool:
        """Whether workspaces install the app by themselves."""
        return bool(self.client_id)

    @property
    def api_url(self) -> str:
        """`base_url` with the slash that Slack's client needs."""
        return self.base_url.rstrip("/") + "/"
