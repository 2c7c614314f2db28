"""A small certificate authority for mutual TLS: ECDSA on P-256, X.509 version 3 (RFC 5280).

    authority         signs, and nothing else: basicConstraints CA with path length 0, keyUsage keyCertSign
    server            extended key usage serverAuth; subject alternative names are its host names and addresses
    person, system    extended key usage clientAuth; one subject alternative name, `urn:assign:person:i-0042`

Certificates live in real time, also where the service runs on a steered clock: the other end's TLS knows no other.
An organisation that has an authority of its own issues certificates of this form with that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from assign.errors import Conflict, Corrupt, InvalidInput
from assign.names import check_id
from server.auth.access import Kind
from server.auth.identity import principal_uri

__all__ = [
    "AUTHORITY_DAYS",
    "CLIENT_DAYS",
    "MAX_LEAF_DAYS",
    "Authority",
    "Issued",
    "create_authority",
    "issue_client",
    "issue_server",
]

AUTHORITY_DAYS: Final = 3650
CLIENT_DAYS: Final = 30
MAX_LEAF_DAYS: Final = 398  # what browsers take (CA/Browser Forum, since 2020)

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
# The clocks of two machines differ: a certificate made now must be good on a machine that is a little behind.
_SKEW: Final = timedelta(minutes=5)
_HOST: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.ASCII | re.IGNORECASE)
_MAX_HOST_CHARS: Final = 253


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, and its key where the key was made here. Both PEM; `repr` does not show the key.

    Attributes:
        certificate: one certificate.
        key: PKCS #8, unencrypted: keep it in a file of mode 0600. Empty if the holder made the key himself.
        not_after: last moment of validity, aware, in UTC.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Authority:
        """The authority of an `Issued`. Raises Corrupt AUTHORITY_MALFORMED unless the two belong together."""
        try:
            loaded = x509.load_pem_x509_certificate(certificate)
            private = serialization.load_pem_private_key(key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise Corrupt("AUTHORITY_MALFORMED", "The authority's certificate or key is not readable PEM.") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != loaded.public_key():
            raise Corrupt("AUTHORITY_MALFORMED", "The authority's key does not belong to its certificate.")
        return cls(loaded, private)


def create_authority(*, now: datetime, days: int = AUTHORITY_DAYS) -> Issued:
    """A new authority, valid from `now` (aware; a little earlier in fact) for `days` days.

    Raises InvalidInput VALIDITY_DAYS outside 1 to AUTHORITY_DAYS, TIME_NAIVE.
    """
    not_before, not_after = _validity(now, days, most=AUTHORITY_DAYS)
    key = ec.generate_private_key(ec.SECP256R1())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Part of the key's digest is in the name: two authorities in one trust store are told apart.
    name = _subject(f"assign authority {identifier.digest.hex()[:8]}")
    usage = _key_usage(digital_signature=False, sign_certificates=True)
    certificate = (
        _builder(name, name, key.public_key(), not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issued(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key), not_after)


def issue_server(authority: Authority, *, hosts: Sequence[str], now: datetime, days: int = MAX_LEAF_DAYS) -> Issued:
    """A server's certificate for `hosts`: DNS names and IP addresses, at least one, no wildcards.

    Raises InvalidInput HOST_FORM, VALIDITY_DAYS (1 to MAX_LEAF_DAYS) or TIME_NAIVE, Conflict AUTHORITY_EXPIRES.
    """
    if not hosts:
        raise InvalidInput("HOST_FORM", "A server's certificate needs at least one host name or address.")
    names = [_general_name(host) for host in hosts]
    return _issue(authority, None, ExtendedKeyUsageOID.SERVER_AUTH, names, now=now, days=days, name=hosts[0])


def issue_client(
    authority: Authority, *, kind: Kind, name: str, now: datetime, days: int = CLIENT_DAYS, request: bytes | None = None
) -> Issued:
    """The certificate of the person or system with the id `name`, to be registered in the access file.

    `request` is a PKCS #10 request in PEM by which the holder proves that he has a key, which then never leaves
    him; the names in it are ignored. Without one the key is made here.

    Raises InvalidInput ID_FORM, REQUEST_MALFORMED, VALIDITY_DAYS (1 to MAX_LEAF_DAYS) or TIME_NAIVE, Conflict
    AUTHORITY_EXPIRES.
    """
    names = [x509.UniformResourceIdentifier(principal_uri(kind, check_id(name, field="id")))]
    held = None if request is None else _requested_key(request)
    return _issue(authority, held, ExtendedKeyUsageOID.CLIENT_AUTH, names, now=now, days=days, name=name)


def _issue(
    authority: Authority,
    held: ec.EllipticCurvePublicKey | None,
    purpose: x509.ObjectIdentifier,
    names: Sequence[x509.GeneralName],
    *,
    now: datetime,
    days: int,
    name: str,
) -> Issued:
    not_before, not_after = _validity(now, days, most=MAX_LEAF_DAYS)
    if not_after > authority.certificate.not_valid_after_utc:
        raise Conflict("AUTHORITY_EXPIRES", "The authority ends before this certificate would: ask for fewer days.")
    key = ec.generate_private_key(ec.SECP256R1()) if held is None else None
    public = key.public_key() if key is not None else held
    assert public is not None
    issuer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        _builder(_subject(name), authority.certificate.subject, public, not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True, sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return Issued(pem, b"" if key is None else _key_pem(key), not_after)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(not_before).not_valid_after(not_after)


def _validity(now: datetime, days: int, *, most: int) -> tuple[datetime, datetime]:
    if now.utcoffset() is None:
        raise InvalidInput("TIME_NAIVE", "A time needs a time zone.")
    if not 1 <= days <= most:
        raise InvalidInput("VALIDITY_DAYS", f"A certificate of this kind is valid for 1 to {most} days.")
    not_before = now.astimezone(UTC).replace(microsecond=0) - _SKEW
    return not_before, not_before + days * _DAY - _SECOND  # both ends are included (RFC 5280, 4.1.2.5)


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _key_usage(*, digital_signature: bool, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    # The last label of a host name is never all digits: `300.1.1.1` is a mistyped address.
    if len(host) > _MAX_HOST_CHARS or not _HOST.fullmatch(host) or host.rpartition(".")[2].isdigit():
        raise InvalidInput("HOST_FORM", f"{host!r} is neither a host name nor an IP address.", field="host")
    return x509.DNSName(host)


def _requested_key(request: bytes) -> ec.EllipticCurvePublicKey:
    try:
        parsed = x509.load_pem_x509_csr(request)
        key, proved = parsed.public_key(), parsed.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        raise InvalidInput("REQUEST_MALFORMED", "This is not a certificate request (PKCS #10) in PEM.") from None
    if not proved or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput("REQUEST_MALFORMED", "A certificate request is signed by its own key, on the curve P-256.")
    return key
