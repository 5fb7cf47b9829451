"""`citebot db`: the schema of the database, its backups, and what was removed since."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from citebot.cli.invocation import Invocation
from citebot.cli.output import json_option, note, print_json, warn
from citebot.errors import CitebotError

if TYPE_CHECKING:
    from citebot.storage import Database
    from citebot.storage.restoring import Reapplied

FILE = click.Path(path_type=Path)
KEYS = "Keep the keys of the secrets apart from it (docs/backup.md): they are not in it."


@click.group("db")
def command() -> None:
    """Upgrade, check, back up and restore the database."""


@command.command("upgrade")
@json_option
@click.pass_obj
def upgrade(invocation: Invocation, as_json: bool) -> None:
    """Bring the schema up to date. SQLite does this by itself at start; PostgreSQL only here.

    \b
    Example:
      citebot db upgrade
    """
    from citebot.app import connect
    from citebot.storage import schema

    database = connect(invocation.settings)
    try:
        before = schema.current(database)
        schema.upgrade(database)
        after = schema.current(database)
    finally:
        database.close()
    if as_json:
        print_json({"before": before, "after": after})
    else:
        click.echo(
            f"The schema is at {after}." if before == after else f"Upgraded from {before or 'nothing'} to {after}."
        )


@command.command("current")
@json_option
@click.pass_obj
def current(invocation: Invocation, as_json: bool) -> None:
    """Show the schema there is and the one that is wanted.

    \b
    Example:
      citebot db current
    """
    from citebot.app import connect
    from citebot.storage import schema

    database = connect(invocation.settings)
    try:
        found = schema.current(database)
    finally:
        database.close()
    if as_json:
        print_json({"current": found, "head": schema.head()})
    else:
        click.echo(f"current {found or 'none'}, wanted {schema.head()}")


@command.command("check")
@json_option
@click.pass_obj
def check(invocation: Invocation, as_json: bool) -> None:
    """Fail unless the schema is the one that is wanted.

    \b
    Example:
      citebot db check
    """
    from citebot.app import connect
    from citebot.storage import schema

    database = connect(invocation.settings)
    try:
        schema.check(database)
    finally:
        database.close()
    if as_json:
        print_json({"ok": True, "current": schema.head()})
    else:
        click.echo("The schema is current.")


@command.command("backup")
@click.argument("file", type=FILE)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@click.pass_obj
def backup(invocation: Invocation, file: Path, force: bool, as_json: bool) -> None:
    """Copy the database into one file, also while it is used, and check the copy.

    The file is whole or not there, and only you can read it. The index is not in it: it is built anew. Nor are the
    keys of the secrets. For PostgreSQL this says what to run.

    \b
    Example:
      citebot db backup /backups/citebot-monday.db
    """
    from citebot.app import connect
    from citebot.storage import backup

    database = connect(invocation.settings)
    try:
        if database.dialect != "sqlite":
            raise CitebotError(f"PostgreSQL is backed up by its own tool: {_dump(database, file)}")
        made = backup.write(database, file, force=force)
    finally:
        database.close()
    if as_json:
        print_json(dataclasses.asdict(made))
    else:
        click.echo(f"Wrote and checked {made.file}: {made.bytes / 1e6:.1f} MB, schema {made.schema}. {KEYS}")


@command.command("restore")
@click.argument("file", type=FILE)
@click.option("--tombstones", type=FILE, multiple=True, help="A record of removals that you kept elsewhere, as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def restore(invocation: Invocation, file: Path, tombstones: tuple[Path, ...], yes: bool, as_json: bool) -> None:
    """Put a backup in the place of the database; what was removed after the backup stays removed.

    Every Citebot that uses the database must be stopped. The one that is replaced is kept beside. For PostgreSQL this
    says what to run.

    \b
    Examples:
      citebot db restore /backups/citebot-monday.db
      citebot db restore /backups/citebot-monday.db --tombstones /backups/removed.log
    """
    from citebot.app import connect
    from citebot.storage import backup
    from citebot.storage.folder_lock import FolderLock

    database = connect(invocation.settings)
    try:
        if database.dialect != "sqlite":
            raise CitebotError(f"PostgreSQL is restored by its own tool: {_load(database, file)}")
    finally:
        database.close()
    backup.verify(file)
    place = Path(database.where)
    if place.exists() and not yes and not click.confirm(f"Replace {place}, which is kept beside?", err=True):
        raise CitebotError("Nothing was restored. With --yes nobody is asked.")
    with FolderLock(invocation.settings.data_dir):
        done = backup.restore(file, place, folder=invocation.settings.data_dir, tombstones=tombstones)
    if as_json:
        print_json(dataclasses.asdict(done))
        return
    click.echo(f"Restored {place} from {file} (schema {done.schema}).")
    _report(done.reapplied)
    if done.replaced:
        click.echo(f"The database before is {done.replaced}: remove it when all is well.")


@command.command("restored")
@click.option("--tombstones", type=FILE, multiple=True, help="A record of removals that you kept elsewhere, as well.")
@json_option
@click.pass_obj
def restored(invocation: Invocation, tombstones: tuple[Path, ...], as_json: bool) -> None:
    """Finish a restore that another tool has made, such as pg_restore; `citebot db restore` does it by itself.

    What was removed after the backup is removed again, every index is built anew, and sources are read in full.

    \b
    Example:
      citebot db restored --tombstones /backups/removed.log
    """
    from citebot.storage import deletions, marks, restoring

    folder = invocation.settings.data_dir
    with invocation.database() as database:
        with database.read() as tx:
            own = deletions.file_of(folder, marks.read(tx).identity)
        done = restoring.finish(database, [*([own] if own.exists() else []), *tombstones])
        deletions.note_restored(own, done.position)
    if as_json:
        print_json(dataclasses.asdict(done))
    else:
        _report(done)


@command.command("tombstones")
@click.argument("file", type=FILE)
@json_option
@click.pass_obj
def tombstones(invocation: Invocation, file: Path, as_json: bool) -> None:
    """Write down in a file what was removed, for a restore; repeated, it adds what is new.

    A server keeps such a record in its data folder. Make one for every copy that you keep elsewhere, at least as often
    as a backup. It holds numbers of rows alone.

    \b
    Example:
      citebot db tombstones /backups/removed.log
    """
    from citebot.storage import deletions

    with invocation.database() as database:
        try:
            position = deletions.record(database, file)
        except OSError as error:
            raise CitebotError(f"{file} cannot be written: {error.strerror}.") from error
    if as_json:
        print_json({"file": file, "position": position})
    else:
        click.echo(f"{file} has all removals up to position {position}.")


def _report(done: Reapplied) -> None:
    gone = ", ".join(f"{number} {_SAID[what]}" for what, number in done.removed.items() if number)
    click.echo(f"Removed again: {gone or 'nothing'}.")
    if done.closed:
        click.echo(f"{done.closed} passages whose readers changed are closed until their source is read.")
    if done.curated_closed:
        numbers = " ".join(map(str, done.curated_closed))
        warn(f"Answers of people that were changed later are closed. Look at them: citebot curated show {numbers}")
    if not done.complete:
        warn("No record goes back to this backup: what was removed since may be there until its source has been read.")
    note("The index is built anew at the next start, or now: citebot index rebuild")


_SAID = {"passage": "passages", "document": "documents", "source": "sources", "curated_answer": "answers of people"}


def _dump(database: Database, file: Path) -> str:
    return shlex.join(["pg_dump", "--format=custom", f"--file={file}", f"--dbname={database.address}"])


def _load(database: Database, file: Path) -> str:
    into = ["--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={database.address}", str(file)]
    return f"into an empty database, {shlex.join(['pg_restore', *into])} && citebot db upgrade && citebot db restored"
