"""Who calls: the client certificate of the connection, and the access file.

A certificate names its holder in exactly one subject alternative name of type URI (RFC 5280, 4.2.1.6):
`urn:assign:person:i-0042` or `urn:assign:system:rwg-tos`. The common name means nothing. That the
certificate comes from the right authority, TLS has checked when the connection was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509

from assign.errors import Unauthenticated
from server.auth.access import AccessTable, Kind, Role

__all__ = ["Caller", "Principal", "identify", "principal_of", "principal_uri"]

_PEM_PROPERTY: Final = "x509_pem_cert"
# Parsing costs some 20 us, far more than the rest of `identify`; a port has some hundreds of callers.
_CACHED_CERTIFICATES: Final = 4096
# URNs are compared without regard to case (RFC 8141), ids here are not: only the lower-case form is taken.
_PRINCIPAL: Final = re.compile(r"urn:assign:(person|system):([A-Za-z0-9][A-Za-z0-9._-]{0,62})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has proved who he is.

    Attributes:
        kind: a natural person or a registered system.
        id: `i-0042`, as in the access file.
        role: the one role.
        terminals: names such as `ports/NLRTM/terminals/RWG` that a terminal system acts for; else empty.
    """

    kind: Kind
    id: str
    role: Role
    terminals: frozenset[str]


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom a certificate names, and its validity (aware, in UTC, both ends included)."""

    kind: Kind
    id: str
    not_before: datetime
    not_after: datetime


def principal_uri(kind: Kind, name: str) -> str:
    """The URI of a person or system in its certificate."""
    return f"urn:assign:{kind}:{name}"


def identify(
    auth_context: Mapping[str, Iterable[bytes]], access: AccessTable, *, now: datetime | None = None
) -> Caller:
    """The caller behind the `auth_context()` of a gRPC call.

    TLS looks at a certificate's validity once, when the connection is made. `now` (aware, the real time, not a
    steered one) makes a connection that outlives its certificate end there.

    Raises Unauthenticated CERTIFICATE_MISSING (none, or no TLS), CERTIFICATE_MALFORMED (not exactly one URI, or
    not ours), CERTIFICATE_EXPIRED or PRINCIPAL_UNKNOWN (not in the access file).
    """
    certificates = tuple(auth_context.get(_PEM_PROPERTY, ()))
    if len(certificates) != 1:
        raise Unauthenticated("CERTIFICATE_MISSING", "Connect over TLS with your client certificate.")
    principal = principal_of(certificates[0])
    if now is not None and not principal.not_before <= now <= principal.not_after:
        raise Unauthenticated("CERTIFICATE_EXPIRED", "Your certificate is not valid now: get a new one.")
    grant = access.find(principal.kind, principal.id)
    if grant is None:
        raise Unauthenticated("PRINCIPAL_UNKNOWN", "Your certificate names nobody who is registered here.")
    return Caller(principal.kind, principal.id, grant.role, grant.terminals)


@lru_cache(maxsize=_CACHED_CERTIFICATES)
def principal_of(pem: bytes) -> Principal:
    """Whom the certificate in `pem` names; its signature and validity are not checked here.

    Raises Unauthenticated CERTIFICATE_MALFORMED.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        uris = []
    match = _PRINCIPAL.fullmatch(uris[0]) if len(uris) == 1 else None
    if match is None:
        raise Unauthenticated(
            "CERTIFICATE_MALFORMED", "Your certificate does not name exactly one person or system of this service."
        )
    kind: Kind = "person" if match[1] == "person" else "system"
    return Principal(kind, match[2], certificate.not_valid_before_utc, certificate.not_valid_after_utc)
