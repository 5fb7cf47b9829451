"""The root command: global options, lazy built-in commands, commands that plugins add."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

import citebot
from citebot.cli.invocation import Invocation
from citebot.cli.output import complain, warn
from citebot.errors import CitebotError, WrongUse

COMMANDS = {
    "answers": "answers",
    "ask": "ask",
    "audit": "audit",
    "budget": "budget",
    "completion": "completion",
    "config": "config",
    "conversation": "conversation",
    "curated": "curated",
    "db": "db",
    "demo": "demo",
    "dev": "dev",
    "doctor": "doctor",
    "eval": "evaluate",
    "index": "index",
    "plugins": "plugins",
    "search": "search",
    "secrets": "secrets",
    "serve": "serve",
    "source": "source",
}
"""Name → module that holds a click command of that name."""
JOINED = ("index",)
"""Groups that plugins may add to."""
PLUGIN_COMMANDS = "citebot.plugin_commands"


class Root(click.Group):
    """Finds built-in commands without importing them all, then the commands of the enabled plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *self._plugin_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(f"citebot.cli.{COMMANDS[cmd_name]}")
            command: click.Command = module.command
            return command
        return self._plugin_commands(ctx).get(cmd_name)

    def added_to(self, ctx: click.Context, group: str) -> Mapping[str, click.Command]:
        """What plugins add to one of the groups in `JOINED`; `ctx` is that of this command."""
        found = self._plugin_commands(ctx)[group]
        assert isinstance(found, click.Group), "it was made here"
        return found.commands

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), n=1)
            hint = f" Did you mean “{near[0]}”?" if near else " Run “citebot --help” for the list."
            raise WrongUse(f"There is no command “{args[0]}”.{hint}") from error

    def _plugin_commands(self, ctx: click.Context) -> Mapping[str, click.Command]:
        # A broken plugin must not take `--help`, `doctor` or `plugins` with it.
        found: click.Group | None = ctx.meta.get(PLUGIN_COMMANDS)
        if found is None:
            found = ctx.meta[PLUGIN_COMMANDS] = click.Group(commands={name: click.Group(name) for name in JOINED})
            invocation = ctx.ensure_object(Invocation)
            invocation.take(ctx.params)
            try:
                invocation.plugins.register_commands(found, reserved=COMMANDS, joined=JOINED)
            except CitebotError as error:
                warn(f"The commands of plugins are missing: {error}")
        return found.commands

    def invoke(self, ctx: click.Context) -> Any:
        debug = bool(ctx.params.get("debug"))
        try:
            return super().invoke(ctx)
        except CitebotError as error:
            if debug:
                raise
            complain(error)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            # The reader of our output has gone, as in `citebot answers list | head`.
            sys.stderr.close()
            ctx.exit(1)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if debug:
                raise
            complain(f"Something went wrong inside Citebot ({type(error).__name__}: {error}). --debug shows where.")
            ctx.exit(1)

    def main(
        self,
        args: Any = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run and exit; every complaint is one line, also those of click."""
        arguments = list(sys.argv[1:] if args is None else args)
        run = partial(super().main, arguments, "citebot", complete_var, standalone_mode=False, **extra)
        if not standalone_mode:
            return run()
        try:
            code: object = run()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            complain(_with_help(error))
            sys.exit(error.exit_code)
        except CitebotError as error:
            # Raised before a command was found, or to be seen whole.
            if "--debug" in arguments:
                raise
            complain(error)
            sys.exit(error.exit_code)
        except click.Abort:
            complain("Stopped.")
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


class Joined(click.Group):
    """A built-in group with what plugins add to it. They are asked only for what it does not have itself."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._added(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._added(ctx).get(cmd_name)

    def _added(self, ctx: click.Context) -> Mapping[str, click.Command]:
        root = ctx.find_root()
        assert isinstance(root.command, Root), "built-in groups are only there"
        return root.command.added_to(root, self.name or "")


def _with_help(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    line = error.format_message().rstrip(".")
    return f"{line}. “{context.command_path} --help” shows how." if context else f"{line}."


@click.command(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file.  [default: ./citebot.toml if there is one]",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where Citebot keeps everything.  [default: setting data_dir]",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override one setting, as answering.threshold=0.4."
)
@click.option("--debug", is_flag=True, help="Log more, and show where an error came from.")
@click.version_option(citebot.__version__, prog_name="citebot")
@click.pass_context
def cli(ctx: click.Context, /, **_options: Any) -> None:
    """Answer a team's questions from what the team already wrote, with a citation for every claim.

    \b
    Examples:
      citebot demo
      citebot source add files --name handbook --path ./docs
      citebot source sync
      citebot ask "How many days of leave do I get?"
    """
    ctx.ensure_object(Invocation).take(ctx.params)
