"""The certificate authority: what it issues, what it refuses, and its commands."""

from __future__ import annotations

import ipaddress
import shutil
import ssl
import stat
import subprocess
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from typer.testing import CliRunner

from assign.errors import AlreadyExists, AssignError, Conflict, Corrupt, InvalidInput, NotFound
from server.auth.access import AccessTable
from server.auth.certificate_files import CertificateDirectory, principals
from server.auth.certificates import (
    AUTHORITY_DAYS,
    CLIENT_DAYS,
    MAX_LEAF_DAYS,
    Authority,
    Issued,
    create_authority,
    issue_client,
    issue_server,
)
from server.auth.cli import app
from server.auth.identity import principal_of
from server.auth.tls import TlsFiles, channel_credentials, server_credentials

NOW = datetime(2026, 11, 24, 6, 0, 0, 123456, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def root() -> Issued:
    """A fresh authority."""
    return create_authority(now=NOW)


@pytest.fixture(scope="module")
def authority(root: Issued) -> Authority:
    """It, loaded."""
    return Authority.from_pem(root.certificate, root.key)


def _load(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


def _critical(certificate: x509.Certificate) -> dict[str, bool]:
    return {type(extension.value).__name__: extension.critical for extension in certificate.extensions}


def test_authority_signs_and_nothing_else(root: Issued) -> None:
    """RFC 5280, 4.2.1.9 and 4.2.1.3: a CA that has no CA below it, and whose key signs certificates only."""
    certificate = _load(root)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    assert _critical(certificate) == {"BasicConstraints": True, "KeyUsage": True, "SubjectKeyIdentifier": False}
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_leaf_has_exactly_the_extensions_it_needs(authority: Authority) -> None:
    """Not a CA, signs its own handshakes, one purpose, one name, and who issued it."""
    client = _load(issue_client(authority, kind="person", name="i-0042", now=NOW))
    extensions = client.extensions
    assert _critical(client) == {
        "BasicConstraints": True,
        "KeyUsage": True,
        "ExtendedKeyUsage": False,
        "SubjectAlternativeName": False,
        "SubjectKeyIdentifier": False,
        "AuthorityKeyIdentifier": False,
    }
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.key_encipherment) == (True, False, False)
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("urn:assign:person:i-0042")]
    issuer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert above.key_identifier == issuer.digest
    client.verify_directly_issued_by(authority.certificate)


def test_server_is_named_by_its_hosts(authority: Authority) -> None:
    """Names as DNS names, addresses as addresses (RFC 6125), for the purpose serverAuth."""
    server = _load(issue_server(authority, hosts=["127.0.0.1", "localhost", "::1", "port.example"], now=NOW))
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "port.example"]
    purpose = server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purpose) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_independent_verifier_takes_the_chain(authority: Authority) -> None:
    """The web's path validation (cryptography's, not the code under test) takes server and client, each as such."""
    builder = PolicyBuilder().store(Store([authority.certificate])).time(NOW)
    server = _load(issue_server(authority, hosts=["localhost"], now=NOW))
    client = _load(issue_client(authority, kind="system", name="rwg-tos", now=NOW))
    assert builder.build_server_verifier(x509.DNSName("localhost")).verify(server, []) == [
        server,
        authority.certificate,
    ]
    verified = builder.build_client_verifier().verify(client, [])
    assert verified.subjects == [x509.UniformResourceIdentifier("urn:assign:system:rwg-tos")]
    with pytest.raises(x509.verification.VerificationError):
        builder.build_client_verifier().verify(server, [])
    with pytest.raises(x509.verification.VerificationError):
        builder.build_server_verifier(x509.DNSName("localhost")).verify(client, [])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
def test_openssl_takes_the_chain_strictly(authority: Authority, tmp_path: Path) -> None:
    """OpenSSL with -x509_strict finds nothing to complain about."""
    issued = {
        "sslclient": issue_client(authority, kind="person", name="i-0042", now=NOW),
        "sslserver": issue_server(authority, hosts=["127.0.0.1"], now=NOW),
    }
    (tmp_path / "ca.pem").write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    for purpose, one in issued.items():
        (tmp_path / "leaf.pem").write_bytes(one.certificate)
        checked = subprocess.run(
            [
                *("openssl", "verify", "-x509_strict", "-purpose", purpose, "-attime", str(int(NOW.timestamp()))),
                *("-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("days", "kind"), [(CLIENT_DAYS, "client"), (MAX_LEAF_DAYS, "server"), (1, "client")])
def test_validity_is_counted_in_whole_days_around_now(authority: Authority, days: int, kind: str) -> None:
    """From five minutes ago, both ends included, never longer than asked."""
    zone = timezone(timedelta(hours=9))
    issued = (
        issue_client(authority, kind="person", name="i-0042", now=NOW.astimezone(zone), days=days)
        if kind == "client"
        else issue_server(authority, hosts=["localhost"], now=NOW.astimezone(zone), days=days)
    )
    certificate = _load(issued)
    start = certificate.not_valid_before_utc
    assert start == datetime(2026, 11, 24, 5, 55, tzinfo=UTC)
    assert certificate.not_valid_after_utc - start == days * DAY - timedelta(seconds=1)
    assert issued.not_after == certificate.not_valid_after_utc


@pytest.mark.parametrize("days", [-1, 0, MAX_LEAF_DAYS + 1])
def test_validity_outside_the_limits_is_refused(authority: Authority, days: int) -> None:
    """398 days at most; an authority ten years."""
    with pytest.raises(InvalidInput, match="VALIDITY_DAYS"):
        issue_client(authority, kind="person", name="i-0042", now=NOW, days=days)
    with pytest.raises(InvalidInput, match="VALIDITY_DAYS"):
        issue_server(authority, hosts=["localhost"], now=NOW, days=days)
    with pytest.raises(InvalidInput, match="VALIDITY_DAYS"):
        create_authority(now=NOW, days=days if days < 1 else AUTHORITY_DAYS + 1)


def test_certificate_does_not_outlive_its_authority() -> None:
    """Where the authority ends first, the operator is told to ask for less."""
    root = create_authority(now=NOW, days=10)
    authority = Authority.from_pem(root.certificate, root.key)
    issue_client(authority, kind="person", name="i-0042", now=NOW, days=10)
    with pytest.raises(Conflict, match="AUTHORITY_EXPIRES"):
        issue_client(authority, kind="person", name="i-0042", now=NOW, days=11)


def test_naive_time_is_refused(authority: Authority) -> None:
    """A time without a zone could be hours off."""
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(InvalidInput, match="TIME_NAIVE"):
        create_authority(now=naive)
    with pytest.raises(InvalidInput, match="TIME_NAIVE"):
        issue_client(authority, kind="person", name="i-0042", now=naive)


@pytest.mark.parametrize(
    "host", ["", "*", "*.example", "a b", "-a", "a-", "a..b", "300.1.1.1", "1.2.3", "x/y", "ü", "a" * 64]
)
def test_host_that_is_none_is_refused(authority: Authority, host: str) -> None:
    """No wildcards, no mistyped addresses."""
    with pytest.raises(InvalidInput, match="HOST_FORM"):
        issue_server(authority, hosts=["localhost", host], now=NOW)


def test_server_without_hosts_is_refused(authority: Authority) -> None:
    """A certificate without a name matches nothing."""
    with pytest.raises(InvalidInput, match="HOST_FORM"):
        issue_server(authority, hosts=[], now=NOW)


@pytest.mark.parametrize("name", ["", "i 42", "i/42", "../x", "i:42", "é", "i" * 64])
def test_id_that_is_none_is_refused(authority: Authority, tmp_path: Path, name: str) -> None:
    """Neither in a certificate nor as a file name."""
    with pytest.raises(InvalidInput, match="ID_FORM"):
        issue_client(authority, kind="person", name=name, now=NOW)
    with pytest.raises(InvalidInput, match="ID_FORM"):
        CertificateDirectory(tmp_path, authority).client_files("person", name)


def test_longest_id_fits(authority: Authority) -> None:
    """63 characters, as resource names allow."""
    issued = issue_client(authority, kind="system", name="s" * 63, now=NOW)
    assert principal_of(issued.certificate).id == "s" * 63


def _request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str = "supervisor") -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    forged = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:assign:person:someone-else")])
    return (
        builder.add_extension(forged, critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def test_own_key_never_leaves_its_holder(authority: Authority) -> None:
    """The certificate is for the key of the request; whatever names the request asks for are ignored."""
    key = ec.generate_private_key(ec.SECP256R1())
    issued = issue_client(authority, kind="person", name="i-0042", now=NOW, request=_request(key))
    assert issued.key == b""
    assert _load(issued).public_key() == key.public_key()
    assert principal_of(issued.certificate).id == "i-0042"
    assert b"someone-else" not in _load(issued).public_bytes(serialization.Encoding.DER)


def test_bad_request_is_refused(authority: Authority) -> None:
    """Another curve, RSA, a broken signature, no request at all."""
    good = x509.load_pem_x509_csr(_request(ec.generate_private_key(ec.SECP256R1())))
    der = bytearray(good.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    pem = ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "CERTIFICATE REQUEST").encode()
    others = [
        _request(ec.generate_private_key(ec.SECP384R1())),
        _request(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        b"",
        b"not PEM",
    ]
    for request in (pem, *others):
        with pytest.raises(InvalidInput, match="REQUEST_MALFORMED"):
            issue_client(authority, kind="person", name="i-0042", now=NOW, request=request)


def test_key_is_not_shown(root: Issued, authority: Authority) -> None:
    """`repr` of what holds a key leaves it out."""
    assert "PRIVATE" not in repr(root) + repr(authority)
    assert "_ECPrivateKey" not in repr(authority)


def test_authority_of_mixed_files_is_refused(root: Issued) -> None:
    """A key that belongs to another certificate would sign what nobody trusts."""
    other = create_authority(now=NOW)
    for certificate, key in (
        (root.certificate, other.key),
        (root.certificate, b""),
        (b"", root.key),
        (root.certificate, root.certificate),
    ):
        with pytest.raises(Corrupt, match="AUTHORITY_MALFORMED"):
            Authority.from_pem(certificate, key)


def test_files_are_private_and_an_authority_is_kept(tmp_path: Path) -> None:
    """Keys 0600, folders 0700; a second authority in the same place is refused."""
    path = tmp_path / "certs"
    directory = CertificateDirectory.create(path, now=NOW)
    directory.add_server(["localhost"], now=NOW)
    directory.add_client("person", "i-0042", now=NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    keys = list(path.rglob("*.key"))
    assert len(keys) == 3
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    before = (path / "authority.key").read_bytes()
    with pytest.raises(AlreadyExists, match="FILE_EXISTS"):
        CertificateDirectory.create(path, now=NOW)
    assert (path / "authority.key").read_bytes() == before
    assert not list(path.rglob(".*"))
    (path / "authority.key").unlink()  # kept elsewhere, as it should be
    with pytest.raises(AlreadyExists, match="FILE_EXISTS"):
        CertificateDirectory.create(path, now=NOW)
    assert not (path / "authority.key").exists()


def test_exposed_authority_key_is_refused(tmp_path: Path) -> None:
    """Whoever could read it could have made any certificate."""
    CertificateDirectory.create(tmp_path, now=NOW)
    (tmp_path / "authority.key").chmod(0o644)
    with pytest.raises(InvalidInput, match="FILE_EXPOSED"):
        CertificateDirectory.open(tmp_path)


def test_missing_authority_is_named(tmp_path: Path) -> None:
    """The message says which command makes one."""
    with pytest.raises(NotFound, match=r"AUTHORITY_MISSING.*certs init"):
        CertificateDirectory.open(tmp_path)


def test_tls_takes_only_a_certificate_with_its_key(tmp_path: Path) -> None:
    """The server does not start on files that do not fit, nor on a key that others can read."""
    directory = CertificateDirectory.create(tmp_path, now=NOW)
    server = directory.add_server(["localhost"], now=NOW)
    client = directory.add_client("person", "i-0042", now=NOW)
    good = TlsFiles(server.certificate, server.key, directory.authority_certificate)
    server_credentials(good)
    channel_credentials(good)
    bad: dict[str, TlsFiles] = {
        "CERTIFICATE_MALFORMED": TlsFiles(server.certificate, client.key, good.authority),
        "FILE_MISSING": TlsFiles(tmp_path / "none.pem", server.key, good.authority),
        "FILE_UNREADABLE": TlsFiles(tmp_path, server.key, good.authority),
    }
    for reason, files in bad.items():
        with pytest.raises(AssignError) as refused:
            server_credentials(files)
        assert refused.value.reason == reason
    server.key.chmod(0o640)
    with pytest.raises(InvalidInput, match="FILE_EXPOSED"):
        server_credentials(good)


ACCESS = "".join(f'[[persons]]\nid = "i-{index:04d}"\nrole = "inspector"\n' for index in range(240)) + (
    '[[systems]]\nid = "rwg-tos"\nrole = "terminal-system"\nterminals = ["ports/NLRTM/terminals/RWG"]\n'
)


def test_everyone_in_an_access_file_within_seconds(tmp_path: Path) -> None:
    """241 certificates; a second run makes only what is missing, `renew` all."""
    access = AccessTable.from_toml(ACCESS.encode())
    directory = CertificateDirectory.create(tmp_path, now=NOW)
    started = time.perf_counter()
    made = list(directory.add_clients(principals(access), now=NOW))
    assert time.perf_counter() - started < 10
    assert made == [True] * 241
    kept = (tmp_path / "persons/i-0000.pem").read_bytes()
    (tmp_path / "persons/i-0001.pem").unlink()
    assert sum(directory.add_clients(principals(access), now=NOW)) == 1
    assert (tmp_path / "persons/i-0000.pem").read_bytes() == kept
    assert sum(directory.add_clients(principals(access), now=NOW, renew=True)) == 241
    assert (tmp_path / "persons/i-0000.pem").read_bytes() != kept


def test_request_takes_the_place_of_a_key_made_here(tmp_path: Path) -> None:
    """The old key would not fit the new certificate: it goes."""
    directory = CertificateDirectory.create(tmp_path, now=NOW)
    files = directory.add_client("person", "i-0042", now=NOW)
    assert files.key.exists()
    request = _request(ec.generate_private_key(ec.SECP256R1()))
    directory.add_client("person", "i-0042", now=NOW, request=request)
    assert not files.key.exists()


def test_commands_from_authority_to_everyone(tmp_path: Path) -> None:
    """`assign certs` as an operator uses it, in real time."""
    run = CliRunner().invoke
    folder, access = str(tmp_path / "certs"), tmp_path / "access.toml"
    access.write_text(ACCESS)
    (tmp_path / "own.csr").write_bytes(_request(ec.generate_private_key(ec.SECP256R1())))
    for arguments in (
        ["init", folder],
        ["server", folder, "--host", "127.0.0.1", "--host", "localhost"],
        ["person", folder, "i-0042"],
        ["person", folder, "i-0043", "--request", str(tmp_path / "own.csr"), "--days", "1"],
        ["system", folder, "rwg-tos"],
        ["from-access", folder, str(access)],
    ):
        done = run(app, arguments)
        assert done.exit_code == 0, done.output
    assert "238 issued, 3 kept." in done.output
    assert not (tmp_path / "certs/persons/i-0043.key").exists()
    now = datetime.now(UTC)
    principal = principal_of((tmp_path / "certs/persons/i-0042.pem").read_bytes())
    assert principal.not_before < now < principal.not_after < now + 31 * DAY


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["person", "DIR", "i 42"], "ID_FORM"),
        (["server", "DIR", "--host", "*"], "HOST_FORM"),
        (["init", "DIR"], "FILE_EXISTS"),
        (["person", "DIR/none", "i-0042"], "AUTHORITY_MISSING"),
        (["person", "DIR", "i-0042", "--request", "DIR/none"], "REQUEST_MALFORMED"),
        (["from-access", "DIR", "DIR/none.toml"], "ACCESS_FILE_MISSING"),
        (["init", "DIR/authority.pem/x"], "FILE_NOT_WRITABLE"),
    ],
)
def test_command_that_fails_says_why_in_one_line(tmp_path: Path, arguments: list[str], text: str) -> None:
    """Status 1, the reason, no traceback."""
    CertificateDirectory.create(tmp_path, now=datetime.now(UTC))
    done = CliRunner().invoke(app, [argument.replace("DIR", str(tmp_path)) for argument in arguments])
    assert done.exit_code == 1
    assert text in done.output
    assert "Traceback" not in done.output
