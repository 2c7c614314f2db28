"""Who the caller is, over real TLS connections and real certificates."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from structlog.testing import capture_logs
from tls_service import Answer, ask, call, files_of, forge, serving

from assign.errors import Unauthenticated
from server.auth.access import AccessTable, Role
from server.auth.certificate_files import CertificateDirectory
from server.auth.certificates import Authority, create_authority, issue_client
from server.auth.identity import Caller, identify, principal_of
from server.auth.tls import TlsFiles, channel_credentials

ACCESS = AccessTable.from_toml(b"""
[[persons]]
id = "i-0042"
role = "inspector"
[[persons]]
id = "s-07"
role = "selector"
[[systems]]
id = "rwg-tos"
role = "terminal-system"
terminals = ["ports/NLRTM/terminals/RWG"]
""")
PERSON = x509.UniformResourceIdentifier("urn:assign:person:i-0042")
REFUSED_IN_TLS = grpc.StatusCode.UNAVAILABLE


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> CertificateDirectory:
    """An authority with a server's, two persons' and a system's certificate."""
    made = CertificateDirectory.create(tmp_path_factory.mktemp("certs"), now=datetime.now(UTC))
    made.add_server(["127.0.0.1", "localhost"], now=datetime.now(UTC))
    for name in ("i-0042", "s-07", "i-9999"):
        made.add_client("person", name, now=datetime.now(UTC))
    made.add_client("system", "rwg-tos", now=datetime.now(UTC))
    return made


@pytest.fixture(scope="module")
def authority(directory: CertificateDirectory) -> Authority:
    """The same authority, to sign what it never would."""
    path = directory.path
    return Authority.from_pem((path / "authority.pem").read_bytes(), (path / "authority.key").read_bytes())


def _ask(directory: CertificateDirectory, credentials: grpc.ChannelCredentials, **options: str) -> Answer:
    async def run() -> Answer:
        async with serving(files_of(directory.path), ACCESS) as address:
            return await call(address, credentials, **options)

    return asyncio.run(run())


def _credentials(directory: CertificateDirectory, kind: str, name: str) -> grpc.ChannelCredentials:
    files = directory.client_files("person" if kind == "person" else "system", name)
    return channel_credentials(TlsFiles(files.certificate, files.key, directory.authority_certificate))


def _forged(
    directory: CertificateDirectory, certificate: bytes, key: bytes, *, trusted: bytes | None = None
) -> grpc.ChannelCredentials:
    root = trusted or directory.authority_certificate.read_bytes()
    return grpc.ssl_channel_credentials(root, key, certificate)


def test_person_and_system_are_known_by_their_certificates(directory: CertificateDirectory) -> None:
    """Kind, id and role come from the URI and the access file."""
    person = _ask(directory, _credentials(directory, "person", "i-0042"))
    system = _ask(directory, _credentials(directory, "system", "rwg-tos"))
    assert person == Answer(grpc.StatusCode.OK, "person:i-0042:inspector")
    assert system == Answer(grpc.StatusCode.OK, "system:rwg-tos:terminal-system")


def test_role_decides_over_the_wire(directory: CertificateDirectory) -> None:
    """A selector who asks for an inspector's method is refused by role, with the stable reason."""
    answer = _ask(directory, _credentials(directory, "person", "s-07"))
    assert answer == Answer(grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")


def test_person_without_a_row_is_unknown(directory: CertificateDirectory) -> None:
    """A good certificate alone opens nothing."""
    answer = _ask(directory, _credentials(directory, "person", "i-9999"))
    assert answer == Answer(grpc.StatusCode.UNAUTHENTICATED, "PRINCIPAL_UNKNOWN")


def test_client_without_certificate_does_not_get_in(directory: CertificateDirectory) -> None:
    """TLS itself ends the connection; the client sees UNAVAILABLE."""
    root = directory.authority_certificate.read_bytes()
    assert _ask(directory, grpc.ssl_channel_credentials(root)).status is REFUSED_IN_TLS


def test_plaintext_client_does_not_get_in(directory: CertificateDirectory) -> None:
    """There is no port without TLS."""

    async def run() -> grpc.StatusCode:
        async with serving(files_of(directory.path), ACCESS) as address, grpc.aio.insecure_channel(address) as channel:
            return (await ask(channel)).status

    assert asyncio.run(run()) is REFUSED_IN_TLS


def test_certificate_of_another_authority_does_not_get_in(directory: CertificateDirectory) -> None:
    """The right name under a foreign signature is nobody."""
    other = create_authority(now=datetime.now(UTC))
    issued = issue_client(
        Authority.from_pem(other.certificate, other.key), kind="person", name="i-0042", now=datetime.now(UTC)
    )
    assert _ask(directory, _forged(directory, issued.certificate, issued.key)).status is REFUSED_IN_TLS


def test_expired_certificate_does_not_get_in(directory: CertificateDirectory, authority: Authority) -> None:
    """TLS judges validity by the real time."""
    certificate, key = forge(authority, names=[PERSON], valid_until=datetime.now(UTC) - timedelta(minutes=1))
    assert _ask(directory, _forged(directory, certificate, key)).status is REFUSED_IN_TLS


def test_server_certificate_is_no_clients(directory: CertificateDirectory, authority: Authority) -> None:
    """Extended key usage serverAuth does not pass as clientAuth, even with a person's name."""
    certificate, key = forge(authority, names=[PERSON], purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    assert _ask(directory, _forged(directory, certificate, key)).status is REFUSED_IN_TLS


def test_client_does_not_trust_another_servers_authority(directory: CertificateDirectory) -> None:
    """A server under a foreign authority gets no call."""
    files = directory.client_files("person", "i-0042")
    other = create_authority(now=datetime.now(UTC)).certificate
    credentials = _forged(directory, files.certificate.read_bytes(), files.key.read_bytes(), trusted=other)
    assert _ask(directory, credentials).status is REFUSED_IN_TLS


def _uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)


BAD_NAMES: dict[str, list[x509.GeneralName] | None] = {
    "no alternative name, the URN as common name": None,
    "two persons": [PERSON, _uri("urn:assign:person:s-07")],
    "person twice": [PERSON, PERSON],
    "person and system": [PERSON, _uri("urn:assign:system:rwg-tos")],
    "person and another URI": [PERSON, _uri("https://example.com/")],
    "DNS name in place of a URI": [x509.DNSName("urn:assign:person:i-0042")],
    "e-mail in place of a URI": [x509.RFC822Name("urn:assign:person:i-0042")],
    "capitals": [_uri("URN:assign:person:i-0042")],
    "other namespace": [_uri("urn:assigned:person:i-0042")],
    "other kind": [_uri("urn:assign:robot:i-0042")],
    "no id": [_uri("urn:assign:person:")],
    "prefix": [_uri("x-urn:assign:person:i-0042")],
    "suffix": [_uri("urn:assign:person:i-0042/role")],
    "query": [_uri("urn:assign:person:i-0042?role=supervisor")],
    "newline": [_uri("urn:assign:person:i-0042\n")],
    "null": [_uri("urn:assign:person:i-0042\0")],
    "id too long": [_uri("urn:assign:person:" + "i" * 64)],
}


@pytest.mark.parametrize("names", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_misnamed_certificate_is_malformed(authority: Authority, names: list[x509.GeneralName] | None) -> None:
    """Nothing but exactly one well-formed URI names a caller."""
    certificate, _ = forge(authority, names=names)
    with pytest.raises(Unauthenticated) as refused:
        identify({"x509_pem_cert": [certificate]}, ACCESS)
    assert refused.value.reason == "CERTIFICATE_MALFORMED"


@pytest.mark.parametrize("names", [[PERSON, _uri("urn:assign:person:s-07")], [_uri("urn:assign:robot:i-0042")]])
def test_misnamed_certificate_is_refused_over_the_wire(
    directory: CertificateDirectory, authority: Authority, names: list[x509.GeneralName]
) -> None:
    """TLS takes such a certificate, the service does not."""
    answer = _ask(directory, _forged(directory, *forge(authority, names=names)))
    assert answer == Answer(grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_MALFORMED")


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({}, "CERTIFICATE_MISSING"),
        ({"transport_security_type": [b"insecure"]}, "CERTIFICATE_MISSING"),
        ({"x509_pem_cert": []}, "CERTIFICATE_MISSING"),
        ({"x509_subject_alternative_name": [b"urn:assign:person:i-0042"]}, "CERTIFICATE_MISSING"),
        ({"x509_pem_cert": [b""]}, "CERTIFICATE_MALFORMED"),
        ({"x509_pem_cert": [b"\xff\x00 not PEM"]}, "CERTIFICATE_MALFORMED"),
        (
            {"x509_pem_cert": [b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]},
            "CERTIFICATE_MALFORMED",
        ),
    ],
)
def test_no_or_broken_certificate(context: dict[str, list[bytes]], reason: str) -> None:
    """Whatever the transport hands over, the answer is a reason and no traceback."""
    with pytest.raises(Unauthenticated) as refused:
        identify(context, ACCESS)
    assert refused.value.reason == reason


def test_system_id_of_a_person_is_unknown(authority: Authority) -> None:
    """Persons and systems do not stand in for one another."""
    for uri in ("urn:assign:system:i-0042", "urn:assign:person:rwg-tos"):
        certificate, _ = forge(authority, names=[_uri(uri)])
        with pytest.raises(Unauthenticated) as refused:
            identify({"x509_pem_cert": [certificate]}, ACCESS)
        assert refused.value.reason == "PRINCIPAL_UNKNOWN"


def test_open_connection_ends_with_its_certificate(directory: CertificateDirectory) -> None:
    """TLS does not look again while a connection lives: `now` does, at both ends of the validity."""
    context = {"x509_pem_cert": [directory.client_files("person", "i-0042").certificate.read_bytes()]}
    principal = principal_of(context["x509_pem_cert"][0])
    for now in (principal.not_before, principal.not_after):
        assert identify(context, ACCESS, now=now) == Caller("person", "i-0042", Role.INSPECTOR, frozenset())
    for now in (principal.not_before - timedelta(seconds=1), principal.not_after + timedelta(seconds=1)):
        with pytest.raises(Unauthenticated) as refused:
            identify(context, ACCESS, now=now)
        assert refused.value.reason == "CERTIFICATE_EXPIRED"


def test_terminals_of_a_system_come_with_it(directory: CertificateDirectory) -> None:
    """The caller carries the terminals of its row."""
    context = {"x509_pem_cert": [directory.client_files("system", "rwg-tos").certificate.read_bytes()]}
    assert identify(context, ACCESS).terminals == {"ports/NLRTM/terminals/RWG"}


def test_changed_access_file_counts_at_once(directory: CertificateDirectory) -> None:
    """Only the reading of certificates is cached: who may come in is looked up at each call."""
    context = {"x509_pem_cert": [directory.client_files("person", "i-0042").certificate.read_bytes()]}
    identify(context, ACCESS)
    without = replace(ACCESS, persons={})
    with pytest.raises(Unauthenticated):
        identify(context, without)


def test_cache_of_certificates_is_bounded(authority: Authority) -> None:
    """Refused certificates are not remembered, and good ones up to a number."""
    before = principal_of.cache_info()
    certificate, _ = forge(authority, names=None)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            principal_of(certificate)
    after = principal_of.cache_info()
    assert after.currsize == before.currsize
    assert after.maxsize == 4096


def test_renewed_server_certificate_is_served_without_restart(tmp_path: Path) -> None:
    """New connections get what the files hold by then; broken ones change nothing, and are reported once."""
    directory = CertificateDirectory.create(tmp_path, now=datetime.now(UTC))
    directory.add_server(["127.0.0.1"], now=datetime.now(UTC))
    directory.add_client("person", "i-0042", now=datetime.now(UTC))

    async def run() -> list[tuple[Answer, int]]:
        seen = []
        async with serving(files_of(tmp_path), ACCESS) as address:
            port = int(address.rpartition(":")[2])
            for step in ("as made", "renewed", "broken", "broken still"):
                if step == "renewed":
                    directory.add_server(["127.0.0.1"], now=datetime.now(UTC))
                if step.startswith("broken"):
                    (tmp_path / "server.key").write_bytes(b"half a key")
                answer = await call(address, _credentials(directory, "person", "i-0042"))
                seen.append((answer, await asyncio.to_thread(_serial, port)))
        return seen

    with capture_logs() as logs:
        answers = asyncio.run(run())
    assert {answer.status for answer, _ in answers} == {grpc.StatusCode.OK}
    old, new, kept, kept_still = (serial for _, serial in answers)
    assert old != new == kept == kept_still
    assert [(entry["log_level"], entry["reason"]) for entry in logs] == [("warning", "CERTIFICATE_MALFORMED")]


def _serial(port: int) -> int:
    """Serial number of the certificate that the server shows."""
    import ssl

    pem = ssl.get_server_certificate(("127.0.0.1", port))
    return x509.load_pem_x509_certificate(pem.encode()).serial_number
