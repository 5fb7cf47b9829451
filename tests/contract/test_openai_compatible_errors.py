"""What the generator `openai_compatible` says when it is refused, and to whom."""

from __future__ import annotations

import json
import logging
import ssl
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.ports import PartContext, Usage
from citebot.settings import Settings, show
from citebot.testing.local_server import Sent, local_server
from citebot.testing.models.faults import Fault
from citebot.testing.models.openai import FakeOpenAI
from citebot.testing.models.openai_chat import Says
from citebot.testing.models.server import Rate
from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator
from citebot_plugins.openai_compatible.settings import GeneratorSettings

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from openai_calls import failure, opened, said


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(script=lambda chat: "Employees get 26 days of leave [1].") as server:
        yield server


@pytest.mark.parametrize(
    ("fault", "why", "words"),
    [
        (Fault(status=401), "key", "put a valid one into `generator.openai_compatible.api_key`"),
        (Fault(status=404), "model", "`generator.openai_compatible.model`"),
        (
            Fault(status=400, code="context_length_exceeded"),
            "too_long",
            "generator.openai_compatible.max_prompt_tokens",
        ),
        (Fault(status=400, code="content_filter"), "filtered", "content filter"),
        (Fault(status=429, code="insufficient_quota"), "key", "no credit"),
        (Fault(status=400), "request", "HTTP 400"),
        (Fault(status=301), "request", "generator.openai_compatible.base_url"),
    ],
)
async def test_what_an_admin_must_mend_is_refused_with_what_to_do(
    server: FakeOpenAI, fault: Fault, why: str, words: str
) -> None:
    used: list[Usage] = []
    server.faults.add(fault)
    error = await failure(server, used)
    assert isinstance(error, ModelRefused)
    assert error.why == why
    assert words in str(error)
    assert used == []


async def test_the_real_rules_refuse_the_same(server: FakeOpenAI) -> None:
    for given, why in [({"api_key": "sk-wrong-key-of-mine"}, "key"), ({"model": "chat-2"}, "model")]:
        error = await failure(server, **given)
        assert isinstance(error, ModelRefused)
        assert error.why == why
    server.context = 500
    error = await failure(server)
    assert isinstance(error, ModelRefused)
    assert error.why == "too_long"
    wrong = await failure(server, base_url=server.url)
    assert "base_url" in str(wrong)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("0.5", None, None),
        ("soon", None, None),
        ("", None, None),
        ("Fri, 31 Dec 2027 23:59:59 GMT", 1, 1e9),
    ],
)
async def test_429_says_for_how_long(server: FakeOpenAI, header: str, least: float | None, most: float | None) -> None:
    server.faults.add(Fault(status=429, retry_after=header))
    error = await failure(server)
    assert isinstance(error, ModelBusy)
    assert (error.after is None) is (least is None)
    assert least is None or least <= (error.after or 0) <= (most or 0)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408])
async def test_servers_in_trouble_are_unavailable(server: FakeOpenAI, status: int) -> None:
    server.faults.add(Fault(status=status, malformed=b"<html>Bad gateway</html>" if status == 502 else b""))
    error = await failure(server)
    assert type(error) is ModelUnavailable
    assert "html" not in str(error)


async def test_azure_has_another_header_and_a_version(server: FakeOpenAI) -> None:
    azure = {"base_url": server.azure_url, "key_header": "api-key", "api_version": "2024-10-21"}
    async with opened(server, **azure) as generator:
        assert await said(generator)
    assert "authorization" not in server.received[0].headers
    for changed, words in [
        ({"api_key": "wrong-key-of-azure"}, "api_key"),
        ({"api_version": ""}, "base_url"),
        ({"base_url": f"{server.url}/openai/deployments/chat-9"}, "`generator.openai_compatible.model`"),
    ]:
        assert words in str(await failure(server, **{**azure, **changed}))


async def test_a_key_is_not_carried_to_where_a_server_points(server: FakeOpenAI) -> None:
    elsewhere = {"location": f"{server.base_url}/chat/completions"}
    with local_server(lambda received: Sent(status=307, headers=elsewhere)) as other:
        assert "base_url" in str(await failure(server, base_url=other.url))
    assert server.received == []


async def test_nobody_there_costs_nothing(server: FakeOpenAI) -> None:
    used: list[Usage] = []
    server.close()
    error = await failure(server, used)
    assert "generator.openai_compatible.base_url" in str(error)
    assert used == []


async def test_a_busy_line_is_told_by_the_rate_of_the_server(server: FakeOpenAI) -> None:
    server.rate = Rate(2)
    async with opened(server) as generator:
        await said(generator)
        await said(generator)
        with pytest.raises(ModelBusy) as caught:
            await said(generator)
    assert 20 < (caught.value.after or 0) <= 61


async def test_the_key_is_in_no_error_and_no_log(server: FakeOpenAI, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    key = "house-key-of-no-known-form-wxyz"
    error = await failure(server, api_key=key)
    server.faults.add(Fault(status=400, malformed=json.dumps({"error": {"message": f"Bad {key}\x1b[2J\n!"}}).encode()))
    other = await failure(server, api_key=key)
    for text in (str(error), str(other), caplog.text):
        assert key not in text
        assert key[-4:] not in text
        assert "\x1b" not in text


async def test_headers_of_a_gateway_go_along_and_are_kept_secret(server: FakeOpenAI) -> None:
    given = {"base_url": server.base_url, "model": "chat-1", "secret_headers": {"x-gateway": "open-sesame"}}
    assert "open-sesame" not in repr(GeneratorSettings.model_validate(given))
    assert "open-sesame" not in str(show(Settings.model_validate({"generator": {"openai_compatible": given}})))
    async with opened(
        server, secret_headers=given["secret_headers"], extra_body={"seed": 7, "model": "no"}
    ) as generator:
        assert await said(generator)
    assert server.received[0].headers["x-gateway"] == "open-sesame"
    assert (server.chats[0].body["seed"], server.chats[0].body["model"]) == (7, "chat-1")


async def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(server: FakeOpenAI) -> None:
    with pytest.raises(ModelRefused) as caught:
        async with opened(server, api_key="schlüssel\n-mit-umlaut"):
            pass
    assert "generator.openai_compatible.api_key" in str(caught.value)
    assert "umlaut" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_server_with_a_certificate_of_ones_own_needs_its_authority(server: FakeOpenAI, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_certificate(authority))
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    url = server.base_url.replace("http://", "https://")
    error = await failure(server, base_url=url)
    assert "its certificate is not trusted" in str(error)
    assert "generator.openai_compatible.ca_file" in str(error)
    async with opened(server, base_url=url, ca_file=authority) as generator:
        assert await said(generator)
    with pytest.raises(ModelRefused, match="ca_file"):
        async with opened(server, base_url=url, ca_file=tmp_path / "none.pem"):
            pass


def write_certificate(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]), datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + built.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000", "http://"),
        ("http://", "http://"),
        ("http://a:99999/v1", "address"),
        ("http://user:secret@a/v1", "key"),
        ("http://a/v1?key=secret", "key"),
        ("http://a/v1/chat/completions", "without /chat/completions"),
    ],
)
def test_addresses_are_checked_before_anything_is_sent(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        GeneratorSettings.model_validate({"base_url": url, "model": "m"})
    assert "secret" not in str(caught.value)


async def test_the_doctor_says_what_is_wrong(server: FakeOpenAI) -> None:
    async def found(**more: Any) -> Any:
        given = {"base_url": server.base_url, "api_key": server.key, "model": "chat-1", **more}
        generator = OpenAICompatibleGenerator(GeneratorSettings.model_validate(given), PartContext(Path()))
        [finding] = [finding async for finding in generator.examine()]
        return finding

    assert (await found()).ok
    unknown = await found(model="chat-2")
    assert (unknown.ok, unknown.fix) == (False, "It has: chat-1, embed-1, rerank-1")
    assert "api_key" in (await found(api_key="sk-wrong-1234567")).what
    assert "base_url" in (await found(base_url=f"{server.url}/v2")).what
    server.script = lambda chat: Says("Yes.", thinking="Am I? " * 100)
    assert (await found()).ok
    assert "max_output_tokens" in (await found(max_output_tokens=50)).what
