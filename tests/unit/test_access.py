"""The access file is read strictly: whatever is not understood is refused, and the row is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from assign.errors import InvalidInput, NotFound
from server.auth.access import PERSON_ROLES, SYSTEM_ROLES, AccessTable, Grant, Role


def _person(name: str, role: str, more: str = "") -> str:
    return f'[[persons]]\nid = "{name}"\nrole = "{role}"\n{more}\n'


def _system(name: str, role: str, more: str = "") -> str:
    return f'[[systems]]\nid = "{name}"\nrole = "{role}"\n{more}\n'


TERMINALS = 'terminals = ["ports/NLRTM/terminals/RWG"]'


def test_every_role_can_be_given() -> None:
    """Each role is for persons or for systems, and only terminal systems have terminals."""
    text = "".join(_person(f"p-{role}", role) for role in sorted(PERSON_ROLES))
    text += _system("rwg-tos", "terminal-system", TERMINALS) + _system("ags", "declaration-system")
    table = AccessTable.from_toml(text.encode())
    assert {grant.role for grant in table.persons.values()} == PERSON_ROLES
    assert table.find("system", "rwg-tos") == Grant(Role.TERMINAL_SYSTEM, frozenset({"ports/NLRTM/terminals/RWG"}))
    assert table.find("system", "ags") == Grant(Role.DECLARATION_SYSTEM)
    assert table.find("person", "rwg-tos") is None
    assert PERSON_ROLES.isdisjoint(SYSTEM_ROLES)
    assert set(Role) == PERSON_ROLES | SYSTEM_ROLES


def test_digest_is_of_the_very_bytes(tmp_path: Path) -> None:
    """A comment that changes changes the digest: it names the file, not its meaning."""
    for text in (b"", b"# nobody\n"):
        (tmp_path / "access.toml").write_bytes(text)
        assert AccessTable.load(tmp_path / "access.toml").digest == hashlib.sha256(text).digest()


def test_table_cannot_be_changed() -> None:
    """Nobody gets in by a row added in memory."""
    table = AccessTable.from_toml(_person("i-0042", "inspector").encode())
    with pytest.raises(TypeError):
        table.persons["i-0043"] = Grant(Role.SUPERVISOR)  # type: ignore[index]


REFUSED = {
    "no TOML": ("[[persons]\n", "ACCESS_MALFORMED", ""),
    "unknown table": ("[[person]]\n", "ACCESS_UNKNOWN_KEY", ""),
    "top-level key": ("version = 1\n", "ACCESS_UNKNOWN_KEY", ""),
    "table in place of rows": ('[persons]\nid = "i-1"\n', "ACCESS_MALFORMED", "persons"),
    "list of strings": ('persons = ["i-1"]\n', "ACCESS_MALFORMED", "persons[0]"),
    "misspelt key": (_person("i-1", "inspector", 'rol = "x"'), "ACCESS_UNKNOWN_KEY", "persons[0]"),
    "terminals of a person": (_person("i-1", "inspector", TERMINALS), "ACCESS_UNKNOWN_KEY", "persons[0]"),
    "no id": ('[[persons]]\nrole = "inspector"\n', "ACCESS_MALFORMED", "persons[0].id"),
    "no role": ('[[persons]]\nid = "i-1"\n', "ACCESS_MALFORMED", "persons[0].role"),
    "number as id": ('[[persons]]\nid = 1\nrole = "inspector"\n', "ACCESS_MALFORMED", "persons[0].id"),
    "two roles in one row": (
        '[[persons]]\nid = "i-1"\nrole = ["selector", "inspector"]\n',
        "ACCESS_MALFORMED",
        "persons[0].role",
    ),
    "malformed id": (_person("i 1", "inspector"), "ID_FORM", "persons[0].id"),
    "id with a slash": (_person("i-1/x", "inspector"), "ID_FORM", "persons[0].id"),
    "unknown role": (_person("i-1", "root"), "ACCESS_ROLE", "persons[0].role"),
    "role in capitals": (_person("i-1", "INSPECTOR"), "ACCESS_ROLE", "persons[0].role"),
    "system role for a person": (_person("i-1", "terminal-system"), "ACCESS_ROLE", "persons[0].role"),
    "person role for a system": (_system("x", "inspector"), "ACCESS_ROLE", "systems[0].role"),
    "terminal system without terminals": (_system("x", "terminal-system"), "ACCESS_TERMINALS", "systems[0].terminals"),
    "no terminals at all": (
        _system("x", "terminal-system", "terminals = []"),
        "ACCESS_TERMINALS",
        "systems[0].terminals",
    ),
    "one terminal as text": (
        _system("x", "terminal-system", 'terminals = "ports/NLRTM/terminals/RWG"'),
        "ACCESS_TERMINALS",
        "systems[0].terminals",
    ),
    "terminals of a declaration system": (
        _system("x", "declaration-system", TERMINALS),
        "ACCESS_TERMINALS",
        "systems[0].terminals",
    ),
    "terminal that is a port": (
        _system("x", "terminal-system", 'terminals = ["ports/NLRTM"]'),
        "NAME_FORM",
        "systems[0].terminals[0]",
    ),
    "terminal that is a wildcard": (
        _system("x", "terminal-system", 'terminals = ["ports/NLRTM/terminals/*"]'),
        "TERMINAL_FORM",
        "systems[0].terminals[0]",
    ),
    "terminal that is a number": (
        _system("x", "terminal-system", "terminals = [1]"),
        "ACCESS_MALFORMED",
        "systems[0].terminals[0]",
    ),
    "terminal twice": (
        _system("x", "terminal-system", 'terminals = ["ports/NLRTM/terminals/RWG", "ports/NLRTM/terminals/RWG"]'),
        "ACCESS_TERMINALS",
        "systems[0].terminals",
    ),
    "same row twice": (_person("i-1", "inspector") * 2, "ACCESS_DUPLICATE", "persons[1].id"),
    "two roles": (_person("i-1", "auditor") + _person("i-1", "supervisor"), "ACCESS_TWO_ROLES", "persons[1].role"),
    "selector who inspects": (
        _person("i-1", "selector") + _person("i-1", "inspector"),
        "ACCESS_SEPARATION",
        "persons[1].role",
    ),
    "inspector who selects, by another spelling": (
        _person("i-1", "inspector") + _person("i-2", "inspector") + _person("I-1", "selector"),
        "ACCESS_SEPARATION",
        "persons[2].role",
    ),
    "person and system of one id": (
        _person("x", "auditor") + _system("x", "declaration-system"),
        "ACCESS_TWO_ROLES",
        "systems[0].role",
    ),
}


@pytest.mark.parametrize(("text", "reason", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_whatever_is_not_understood_is_refused(text: str, reason: str, field: str) -> None:
    """Reason and row are named."""
    with pytest.raises(InvalidInput) as refused:
        AccessTable.from_toml(text.encode())
    assert (refused.value.reason, refused.value.field) == (reason, field)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a=" + b"[" * 5000, b"\x00"])
def test_bytes_that_are_no_file_are_malformed(data: bytes) -> None:
    """No traceback for garbage, nor for nesting beyond the parser."""
    with pytest.raises(InvalidInput, match="ACCESS_MALFORMED"):
        AccessTable.from_toml(data)


def test_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    """The operator reads which file is meant."""
    with pytest.raises(NotFound, match=r"ACCESS_FILE_MISSING.*access\.toml"):
        AccessTable.load(tmp_path / "access.toml")
    with pytest.raises(InvalidInput, match="ACCESS_MALFORMED"):
        AccessTable.load(tmp_path)


def test_file_that_anybody_may_write_is_refused(tmp_path: Path) -> None:
    """Who can write the access file can give himself any role."""
    path = tmp_path / "access.toml"
    path.write_text(_person("i-0042", "inspector"))
    path.chmod(0o664)
    AccessTable.load(path)
    path.chmod(0o666)
    with pytest.raises(InvalidInput, match="ACCESS_EXPOSED"):
        AccessTable.load(path)
