"""Encryption on both sides: offered to senders, asked of next hops."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiosmtplib
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailrelay import courier, hops
from mailrelay.courier import Parcel
from mailrelay.server import Relay
from tests.mailrelay import raw
from tests.mailrelay.town import HOST, IVAN, LETTER, Town


@dataclass(frozen=True)
class Certificate:
    path: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.path))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Self-signed, for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    found = Certificate(folder / "cert.pem", folder / "key.pem")
    found.path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return found


@pytest.fixture
async def encrypted(town: Town, certificate: Certificate) -> AsyncIterator[int]:
    """The port of a relay that offers encryption."""
    relay = Relay(
        town.reception, host=HOST, marker_key=b"k" * 32, tls=certificate.server()
    )
    server = await relay.listen("127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    await relay.stop(server)


async def test_a_letter_comes_encrypted_and_its_trace_says_so(
    town: Town, encrypted: int, certificate: Certificate
) -> None:
    alias = await town.alias()
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1",
        port=encrypted,
        start_tls=True,
        tls_context=certificate.client(),
    )
    await client.connect()
    assert not client.supports_extension("auth")
    big = LETTER + b"x" * 300_000 + b"\r\n"
    await client.sendmail(IVAN, [alias], big)
    await client.quit()
    await town.forward()

    (taken,) = town.hop.taken
    assert b" with ESMTPS id " in taken.content
    assert taken.content.endswith(big)


async def test_words_slipped_in_before_encryption_are_dropped(
    encrypted: int, certificate: Certificate
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", encrypted)
    await reader.readline()
    writer.write(b"EHLO x\r\n")
    while (await reader.readline())[3:4] == b"-":
        continue
    writer.write(b"STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n")
    assert (await reader.readline()).startswith(b"220 2.0.0 ")
    await writer.start_tls(certificate.client(), server_hostname="127.0.0.1")
    writer.write(b"NOOP\r\nMAIL FROM:<a@b.example>\r\n")

    assert await reader.readline() == b"250 2.0.0 OK\r\n"
    assert (await reader.readline()).startswith(b"503 5.5.1 send EHLO first")
    writer.close()


PARCEL = Parcel(mail_from="", recipient="postmaster", message=b"Subject: x\r\n\r\n")


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls"])
async def test_a_next_hop_with_an_unknown_certificate_is_good_enough_only_for_smtp(
    encrypted: int, scheme: str
) -> None:
    hop = hops.parse(f"{scheme}://127.0.0.1:{encrypted}")

    outcome = await courier.carry(PARCEL, hop, host="me.example")

    assert outcome.taken is (scheme == "smtp")
    if scheme != "smtp":
        assert outcome.stage == "tls"
        assert outcome.unreachable
        assert not outcome.permanent


async def test_a_certificate_may_be_left_unlooked_at(encrypted: int) -> None:
    hop = hops.parse(f"smtp+starttls://127.0.0.1:{encrypted}?verify=no")

    assert (await courier.carry(PARCEL, hop, host="me.example")).taken


async def test_encryption_that_breaks_is_done_without_where_it_was_only_a_wish() -> (
    None
):
    said: list[bytes] = []

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        while line := await reader.readline():
            said.append(line)
            word = line[:4].upper()
            if word == b"EHLO":
                writer.write(b"250-x\r\n250 STARTTLS\r\n")
            elif word == b"STAR":
                writer.write(b"220 go\r\nno TLS here\r\n")
                await writer.drain()
                return
            elif word == b"DATA":
                writer.write(b"354 go\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 ok\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
            else:
                writer.write(b"250 ok\r\n")

    async with raw.server(half) as port:
        hop = hops.parse(f"smtp://127.0.0.1:{port}")
        assert (await courier.carry(PARCEL, hop, host="me.example")).taken
    assert b"STARTTLS\r\n" in said
