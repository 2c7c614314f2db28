"""The access file: which persons and systems are known, and the one role of each.

    [[persons]]
    id = "i-0042"
    role = "inspector"

    [[systems]]
    id = "rwg-tos"
    role = "terminal-system"
    terminals = ["ports/NLRTM/terminals/RWG"]

A person is a natural person and has one role: who selects containers never inspects them. The file is read
strictly: whatever is not understood is refused, for a misspelt key must not widen anyone's access.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from assign.encoding import sha256
from assign.errors import InvalidInput, NotFound
from assign.names import check_id, parse_terminal_name

__all__ = ["PERSON_ROLES", "SYSTEM_ROLES", "AccessTable", "Grant", "Kind", "Role"]

Kind = Literal["person", "system"]


class Role(StrEnum):
    """What somebody is there for. The values are those of the access file."""

    TERMINAL_SYSTEM = "terminal-system"
    DECLARATION_SYSTEM = "declaration-system"
    ROSTER_OFFICER = "roster-officer"
    SELECTOR = "selector"
    INSPECTOR = "inspector"
    SUPERVISOR = "supervisor"
    SECURITY_OFFICER = "security-officer"
    AUDITOR = "auditor"


SYSTEM_ROLES = frozenset({Role.TERMINAL_SYSTEM, Role.DECLARATION_SYSTEM})
PERSON_ROLES = frozenset(Role) - SYSTEM_ROLES

_TABLES: Mapping[str, tuple[Kind, frozenset[Role], frozenset[str]]] = {
    "persons": ("person", PERSON_ROLES, frozenset({"id", "role"})),
    "systems": ("system", SYSTEM_ROLES, frozenset({"id", "role", "terminals"})),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """The one role of a person or system.

    Attributes:
        terminals: names such as `ports/NLRTM/terminals/RWG` that a terminal system acts for; else empty.
    """

    role: Role
    terminals: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccessTable:
    """Everyone who may call the service. Immutable.

    Attributes:
        persons, systems: grants by id, in the file's order.
        digest: SHA-256 of the file's bytes, 32 bytes; the server logs it at its start.
    """

    persons: Mapping[str, Grant]
    systems: Mapping[str, Grant]
    digest: bytes

    @classmethod
    def from_toml(cls, data: bytes) -> Self:
        """The table in the bytes of an access file.

        Raises InvalidInput ACCESS_MALFORMED (no UTF-8, no TOML, wrong type), ACCESS_UNKNOWN_KEY, ACCESS_ROLE,
        ACCESS_TERMINALS, ACCESS_DUPLICATE, ACCESS_TWO_ROLES or ACCESS_SEPARATION (a person both selector and
        inspector), or ID_FORM, NAME_FORM, PORT_FORM, TERMINAL_FORM; `field` names the row: `persons[3].role`.
        """
        try:
            document = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            raise InvalidInput("ACCESS_MALFORMED", f"The access file is not TOML in UTF-8: {error}.") from None
        _refuse_unknown(document, frozenset(_TABLES), field="")
        grants: dict[Kind, dict[str, Grant]] = {"person": {}, "system": {}}
        roles: dict[str, Role] = {}
        for table, (kind, _, _) in _TABLES.items():
            for name, grant, field in _read_table(document, table):
                _refuse_second(name, grant.role, roles, field)
                grants[kind][name] = grant
        return cls(MappingProxyType(grants["person"]), MappingProxyType(grants["system"]), sha256(data))

    @classmethod
    def load(cls, path: Path) -> Self:
        """The table in the file `path`.

        Raises NotFound ACCESS_FILE_MISSING, InvalidInput ACCESS_EXPOSED (anybody may write it) or as `from_toml`.
        """
        try:
            with path.open("rb") as file:
                data, mode = file.read(), os.fstat(file.fileno()).st_mode
        except FileNotFoundError:
            raise NotFound("ACCESS_FILE_MISSING", f"There is no access file {path}.") from None
        except OSError as error:
            raise InvalidInput("ACCESS_MALFORMED", f"Cannot read {path}: {error.strerror}.") from None
        if mode & stat.S_IWOTH:
            raise InvalidInput("ACCESS_EXPOSED", f"Anybody may write {path}, and give himself a role: chmod o-w it.")
        return cls.from_toml(data)

    def find(self, kind: Kind, name: str) -> Grant | None:
        """The grant of the person or system with the id `name`, or None."""
        return (self.persons if kind == "person" else self.systems).get(name)


def _read_table(document: Mapping[str, object], table: str) -> list[tuple[str, Grant, str]]:
    """Id, grant and field path of every row of one table."""
    rows = document.get(table, [])
    if not isinstance(rows, list):
        raise InvalidInput("ACCESS_MALFORMED", f"Write each row under [[{table}]].", field=table)
    _, allowed, keys = _TABLES[table]
    read = []
    for index, row in enumerate(rows):
        field = f"{table}[{index}]"
        if not isinstance(row, dict):
            raise InvalidInput("ACCESS_MALFORMED", f"Write each row under [[{table}]].", field=field)
        _refuse_unknown(row, keys, field=field)
        name = check_id(_text(row, "id", field), field=f"{field}.id")
        role = _role(row, allowed, field)
        read.append((name, Grant(role, _terminals(row, role, field)), field))
    return read


def _refuse_unknown(table: Mapping[str, object], known: frozenset[str], *, field: str) -> None:
    for key in table:
        if key not in known:
            raise InvalidInput(
                "ACCESS_UNKNOWN_KEY", f"{key!r} is not a key here; known: {', '.join(sorted(known))}.", field=field
            )


def _text(row: Mapping[str, object], key: str, field: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise InvalidInput("ACCESS_MALFORMED", f"{key!r} is needed, as one string.", field=f"{field}.{key}")
    return value


def _role(row: Mapping[str, object], allowed: frozenset[Role], field: str) -> Role:
    text = _text(row, "role", field)
    if text not in allowed:
        raise InvalidInput(
            "ACCESS_ROLE", f"{text!r} is not a role here; known: {', '.join(sorted(allowed))}.", field=f"{field}.role"
        )
    return Role(text)


def _terminals(row: Mapping[str, object], role: Role, field: str) -> frozenset[str]:
    field = f"{field}.terminals"
    if role is not Role.TERMINAL_SYSTEM:
        if "terminals" in row:
            raise InvalidInput("ACCESS_TERMINALS", f"A {role} acts for no terminal.", field=field)
        return frozenset()
    names = row.get("terminals")
    if not isinstance(names, list) or not names:
        raise InvalidInput("ACCESS_TERMINALS", "A terminal system needs the terminals it acts for.", field=field)
    for index, name in enumerate(names):
        if not isinstance(name, str):
            raise InvalidInput("ACCESS_MALFORMED", "A terminal is a string.", field=f"{field}[{index}]")
        parse_terminal_name(name, field=f"{field}[{index}]")
    if len(set(names)) != len(names):
        raise InvalidInput("ACCESS_TERMINALS", "A terminal is listed twice.", field=field)
    return frozenset(names)


def _refuse_second(name: str, role: Role, roles: dict[str, Role], field: str) -> None:
    """Refuse an id that another row has. Ids that differ in case only would be one person with two roles."""
    first = roles.get(name.casefold())
    if first is None:
        roles[name.casefold()] = role
        return
    if {first, role} == {Role.SELECTOR, Role.INSPECTOR}:
        raise InvalidInput("ACCESS_SEPARATION", f"{name} cannot both select and inspect.", field=f"{field}.role")
    if first is not role:
        raise InvalidInput("ACCESS_TWO_ROLES", f"{name} is {first} already: one role each.", field=f"{field}.role")
    raise InvalidInput("ACCESS_DUPLICATE", f"{name} is listed twice.", field=f"{field}.id")
