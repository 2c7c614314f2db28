"""Where shares are stored, and what the log and its verifier make of a recovery."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from escrow_site import ORIGIN, PORT, START, make_site, shift_name
from simulated_day import CALENDAR_A
from simulated_log import Operator
from simulated_log import shift_name as day_shift
from sqlalchemy import inspect

from assign.draw.commitment import commit_master
from assign.errors import NotFound
from assign.log.entries import Kind
from assign.verify.bundle import read_bundle
from assign.verify.findings import Attention
from assign.verify.replay import verify_bundle
from server.entropy import SystemEntropy
from server.escrow.custodians import create_identity, load_identities
from server.escrow.key_file import escrow_key_file, recover_key_file
from server.escrow.shares import open_share
from server.storage import migrate as migrations
from server.storage.escrow import (
    StoredShare,
    add_shares,
    escrowed_keys,
    escrowed_shifts,
    find_key_shares,
    logged_commitment,
    shares_of,
)
from server.storage.schema import metadata
from server.storage.secrets import open_master
from server.storage.shifts import load_shift
from server.storage.sqlite import open_writer


def test_migration_makes_the_table_of_the_schema(tmp_path: Path) -> None:
    """A store brought up to date has the table exactly as the code knows it, and can go back."""
    engine = open_writer(f"sqlite:///{tmp_path}/assign.db")
    migrations.migrate(engine)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        assert [one for one in differences if "escrow" in str(one)] == []
        config = migrations._alembic()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        connection.commit()
        assert "escrow_share" not in inspect(connection).get_table_names()
        connection.rollback()
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()


def test_shares_by_shift_and_number(tmp_path: Path) -> None:
    """In the order of the custodians; a shift without any has none; every escrowed shift is listed."""
    site = make_site(tmp_path)
    later = shift_name("C")
    shares = [StoredShare(number=number, recipient=f"age1{number}", data=b"%d" % number) for number in (2, 1)]
    site.run(lambda unit: add_shares(unit.connection, later, shares))
    assert site.run(lambda unit: shares_of(unit.connection, later)) == [*reversed(shares)]
    assert site.run(lambda unit: shares_of(unit.connection, shift_name("D"))) == []
    assert site.run(lambda unit: escrowed_shifts(unit.connection)) == [*map(shift_name, "ABC")]


def test_commitment_comes_from_the_log(tmp_path: Path) -> None:
    """Each shift's own, by its name; a shift that was never opened has none."""
    site = make_site(tmp_path)
    for letter in "AB":
        name = shift_name(letter)
        master = site.run(lambda unit, name=name: open_master(unit, load_shift(unit.connection, name)))  # type: ignore[misc]
        found = site.run(lambda unit, name=name: logged_commitment(unit.connection, name, ORIGIN))  # type: ignore[misc]
        assert found == commit_master(ORIGIN, str(name), master)
    for origin in (ORIGIN, "assign.example/OTHER"):
        with pytest.raises(NotFound, match="SHIFT_NOT_LOGGED"):
            site.run(
                lambda unit, origin=origin: logged_commitment(unit.connection, shift_name("Z"), origin),  # type: ignore[misc]
                at=START,
            )


def test_server_without_escrow_stores_no_shares(tmp_path: Path) -> None:
    """The same server, its custodians taken out of the configuration: shifts open, and nothing is shared."""
    site = make_site(tmp_path, config="plain.toml")
    assert site.run(lambda unit: escrowed_shifts(unit.connection)) == []
    assert site.run(lambda unit: load_shift(unit.connection, shift_name("A")).name.port) == PORT


def test_verifier_shows_a_recovery() -> None:
    """A recovered seed is within the rules, and something that a supervisor has to see."""
    operator = Operator()
    shift = operator.open_shift(day_shift("A"), CALENDAR_A)
    operator.import_roster(shift, [f"inspector-{number}" for number in range(5)])
    operator.record(Kind.KEY_USE, {"purpose": "recover", "wave": str(shift.name)})
    for start in CALENDAR_A.wave_starts():
        operator.freeze(shift, start)
        operator.draw(shift, start)
    operator.close(shift)
    report = verify_bundle(read_bundle(io.BytesIO(operator.to_bundle())))
    assert report.is_sound, report.findings
    assert [(one.code, str(shift.name) in one.message) for one in report.attention] == [(Attention.KEY_RECOVERED, True)]


def test_key_file_is_split_once_for_its_custodians(tmp_path: Path) -> None:
    """When a server first starts with it; not again until the custodians change, and then for the new ones."""
    site = make_site(tmp_path)
    key_id = site.run(lambda unit: unit.services.keyring.key_id)

    def start() -> list[StoredShare]:
        path = site.config().key_file
        site.run(lambda unit: escrow_key_file(unit, path))
        threshold, shares = site.run(lambda unit: find_key_shares(unit.connection, key_id))
        assert threshold == len(shares) - 1 == 2
        return shares

    assert site.run(lambda unit: escrowed_keys(unit.connection)) == []
    first = start()
    assert start() == first
    opened = [open_share(one.data, load_identities(site.identities), source="it") for one in first[:2]]
    again = tmp_path / "again.key"
    assert recover_key_file(opened, again, SystemEntropy())[0] == key_id
    assert again.read_bytes() == site.config().key_file.read_bytes()
    new = create_identity(tmp_path / "custodian-4.txt")
    text = (tmp_path / "assign.toml").read_text().replace(first[2].recipient, new)
    (tmp_path / "assign.toml").write_text(text)
    changed = start()
    assert [one.recipient for one in changed] == [first[0].recipient, first[1].recipient, new]
    assert site.run(lambda unit: escrowed_keys(unit.connection)) == [key_id]


def test_key_file_stays_whole_without_escrow(tmp_path: Path) -> None:
    """No custodians, no shares."""
    site = make_site(tmp_path, config="plain.toml")
    path = site.config("plain.toml").key_file
    site.run(lambda unit: escrow_key_file(unit, path), config="plain.toml")
    assert site.run(lambda unit: escrowed_keys(unit.connection)) == []
