"""What is posted to us is taken when it was signed, lately, once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from citebot.conversing.letters import FORM, JSON, LARGEST, WINDOW, Letters, Unfit


def sealed(headers: Mapping[str, str], body: bytes) -> tuple[str, int]:
    """Signed by whoever says so."""
    if "signature" not in headers:
        raise Unfit(401, "not signed")
    return headers["signature"], int(headers["stamp"])


def headers(signature: str = "one", *, stamp: int = 1000, kind: str = JSON) -> dict[str, str]:
    return {"content-type": kind, "signature": signature, "stamp": str(stamp)}


def test_a_letter_is_taken_once_unless_it_failed() -> None:
    letters = Letters(sealed, now=lambda: 1000.0)
    letter = letters.check(headers(), b'{"a": 1}')
    assert letter is not None
    assert letter.body == {"a": 1}
    assert letters.check(headers(), b'{"a": 1}') is None
    letters.failed(letter)
    assert letters.check(headers(), b'{"a": 1}') is not None


def test_an_old_letter_is_refused_and_then_forgotten() -> None:
    time = [1000.0]
    letters = Letters(sealed, now=lambda: time[0])
    letters.check(headers(), b"{}")
    time[0] = 1000.0 + WINDOW + 1
    with pytest.raises(Unfit, match="old timestamp"):
        letters.check(headers(), b"{}")
    letters.check(headers("two", stamp=int(time[0])), b"{}")
    assert list(letters._taken) == ["two"]


@pytest.mark.parametrize(
    ("sent", "body", "status"),
    [
        ({"content-type": JSON}, b"{}", 401),
        (headers(kind="text/plain"), b"{}", 415),
        (headers(), b"x" * (LARGEST + 1), 413),
        (headers(), b"[1]", 400),
        (headers(), b"{", 400),
        (headers(kind=FORM), b"payload=%7B", 400),
        (headers(kind=FORM), b"a=\xff", 400),
    ],
)
def test_what_is_not_fit_says_why(sent: Mapping[str, str], body: bytes, status: int) -> None:
    with pytest.raises(Unfit) as refused:
        Letters(sealed, now=lambda: 1000.0).check(sent, body)
    assert refused.value.status == status


def test_a_form_holds_json_or_fields() -> None:
    letters = Letters(sealed, now=lambda: 1000.0)
    for signature, body, found in (("one", b'payload={"a":1}', {"a": 1}), ("two", b"a=1&b=", {"a": "1", "b": ""})):
        letter = letters.check(headers(signature, kind=FORM), body)
        assert letter is not None
        assert letter.body == found
