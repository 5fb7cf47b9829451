from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from citebot.access import Directory
from citebot.model import Audience, Conversation, Group, Person, Readers, channel_principal
from citebot.settings import AccessSettings
from citebot.storage import Database, people, schema
from citebot.storage.tables import membership

CHANNEL = Conversation("slack", "C1", tenant="T1", visibility="public")
ALICE, BOB, GUEST = Person("alice"), Person("bob"), Person("gast", guest=True)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('access') / 'citebot.db'}")
    schema.upgrade(database)
    yield database
    database.close()


def report(database: Database, groups: dict[str, set[str]], *, age: float = 0.0) -> None:
    with database.write() as tx:
        people.replace(tx, "wiki", [Group(name, frozenset(members)) for name, members in groups.items()])
        seen = database.now(tx) - timedelta(seconds=age)
        tx.execute(update(membership).where(membership.c.origin == "wiki").values(seen_at=seen.replace(tzinfo=None)))


def directory(database: Database, **access: object) -> Directory:
    return Directory(database, AccessSettings.model_validate(access))


def test_a_member_reads_as_everyone_themselves_and_their_groups(database: Database) -> None:
    report(database, {"hr": {"alice"}})
    found = directory(database, groups={"board": ["alice"]}).principals_of(ALICE)
    assert found == {"everyone", "person:alice", "group:hr", "group:board"}


def test_a_guest_is_not_everyone_whoever_says_so(database: Database) -> None:
    report(database, {})
    known = directory(database, guests=["bob"])
    assert known.principals_of(GUEST) == {"person:gast"}
    assert known.principals_of(BOB) == {"person:bob"}


def test_a_member_without_an_id_has_no_groups(database: Database) -> None:
    report(database, {"odd": {""}})
    assert directory(database, groups={"board": [""]}).principals_of(Person("")) == {"everyone"}


def test_a_stale_group_list_opens_nothing(database: Database) -> None:
    report(database, {"hr": {"alice"}}, age=901)
    assert "group:hr" not in directory(database).principals_of(ALICE)
    report(database, {"hr": {"alice"}}, age=890)
    assert "group:hr" in directory(database).principals_of(ALICE)


def test_groups_of_the_settings_never_go_stale(database: Database) -> None:
    report(database, {}, age=10_000)
    assert "group:board" in directory(database, groups={"board": ["alice"]}, staleness=1).principals_of(ALICE)


@pytest.mark.parametrize("nobody", [None, frozenset(), []])
def test_unknown_readers_see_nothing(database: Database, nobody: list[Person] | None) -> None:
    audience = directory(database).audience_of(nobody, conversation=CHANNEL)
    assert audience.principals == frozenset()
    assert not audience.may_read(Readers.everyone())


def test_a_channel_reads_what_all_its_people_read_and_its_own(database: Database) -> None:
    report(database, {"hr": {"alice", "bob"}, "board": {"alice"}})
    audience = directory(database).audience_of([ALICE, BOB], conversation=CHANNEL)
    assert audience.principals == {"everyone", "group:hr", channel_principal("slack", "T1", "C1")}


def test_one_guest_in_the_channel_takes_everyone_away(database: Database) -> None:
    report(database, {})
    audience = directory(database).audience_of([ALICE, GUEST], conversation=CHANNEL)
    assert audience.principals == {channel_principal("slack", "T1", "C1")}


def test_a_shared_channel_is_never_everyone(database: Database) -> None:
    report(database, {"hr": {"alice", "bob"}})
    shared = Conversation("slack", "C9", visibility="shared")
    audience = directory(database).audience_of([ALICE, BOB], conversation=shared)
    assert audience.principals == {"group:hr", channel_principal("slack", "", "C9")}


def test_a_direct_message_has_no_channel(database: Database) -> None:
    report(database, {})
    audience = directory(database).audience_of([ALICE], conversation=Conversation("slack", "D1"))
    assert audience.principals == {"everyone", "person:alice"}


NAMES = st.sampled_from(["ann", "ben", "cat", "dan", "eve"])
WORLD = st.fixed_dictionaries(
    {
        "groups": st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sets(NAMES), max_size=3),
        "settled": st.dictionaries(st.sampled_from(["b", "d"]), st.lists(NAMES, max_size=3), max_size=2),
        "guests": st.sets(NAMES, max_size=2),
        "age": st.sampled_from([0.0, 5000.0]),
        "present": st.sets(NAMES, max_size=4),
    }
)


@settings(max_examples=120, deadline=None)
@given(world=WORLD, readers=st.frozensets(st.sampled_from(["everyone", "person:ann", "group:a", "group:b", "group:d"])))
def test_what_an_audience_may_read_every_one_of_them_may_read(
    database: Database, world: dict[str, object], readers: frozenset[str]
) -> None:
    report(database, world["groups"], age=world["age"])  # type: ignore[arg-type]
    known = directory(database, groups=world["settled"], guests=sorted(world["guests"]))  # type: ignore[call-overload]
    present = [Person(name) for name in world["present"]]  # type: ignore[attr-defined]
    audience = known.audience_of(present, conversation=CHANNEL)
    alone = [Audience(known.principals_of(person)) for person in present]
    if audience.may_read(Readers(readers)):
        assert present
        assert all(one.may_read(Readers(readers)) for one in alone)
    # Nothing that one principal opens to all of them is lost.
    for principal in readers:
        only = Readers(frozenset({principal}))
        assert audience.may_read(only) == (bool(present) and all(one.may_read(only) for one in alone))
