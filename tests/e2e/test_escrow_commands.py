"""`assign escrow` on a real store: shares out, the seed back in, and every way it must refuse."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from escrow_site import ORIGIN, PORT, START, Site, make_site, shift_name
from sqlalchemy import update

from assign.draw.commitment import commit_master
from assign.errors import Corrupt
from assign.log.entries import Entry, Kind
from server.escrow import cli
from server.storage.escrow import shares_of
from server.storage.schema import log_entry, shift
from server.storage.secrets import open_master
from server.storage.shifts import load_shift, mark_closed

SHIFT = shift_name("A")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A server with two open shifts, and all shares exported to `shares`."""
    made = make_site(tmp_path_factory.mktemp("template"))
    done = made.assign("export", "--config", "assign.toml", "--out", "shares")
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def site(template: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A copy of it for one test."""
    monkeypatch.setattr(cli, "forbid_core_dumps", lambda: None)  # not for the process of all tests
    return template.copy_to(tmp_path)


def _share(number: int, letter: str = "A") -> str:
    return f"shares/NLRTM-2026-11-24-{letter}-custodian-{number}.age"


def _recover(shares: list[str], custodians: list[int]) -> list[str]:
    arguments = ["recover"]
    for share in shares:
        arguments += ["--share", share]
    for number in custodians:
        arguments += ["--identity", f"custodian-{number}.txt"]
    return arguments


def _master(site: Site, config: str = "assign.toml") -> bytes:
    return site.run(lambda unit: open_master(unit, load_shift(unit.connection, SHIFT)), config=config)


def _recoveries(site: Site) -> list[Entry]:
    return [entry for entry in site.entries() if entry.kind is Kind.KEY_USE and entry.body["purpose"] == "recover"]


def test_shares_are_bound_to_the_shift_and_exported_one_a_custodian(site: Site) -> None:
    """Opening a shift stores three age files; the export is these bytes, and nothing of the seed is in them."""
    stored = site.run(lambda unit: shares_of(unit.connection, SHIFT))
    assert [share.number for share in stored] == [1, 2, 3]
    for share in stored:
        assert (site.folder / _share(share.number)).read_bytes() == share.data
        assert share.data.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----")
    again = site.assign("export", "--config", "assign.toml", "--shift", str(SHIFT), "--out", "shares")
    assert again.returncode == 1
    assert "FILE_EXISTS" in again.stderr
    assert len(list((site.folder / "shares").iterdir())) == 6


def test_two_custodians_recover_what_the_log_committed_to(site: Site) -> None:
    """Without the server's files: the seed itself, with the commitment of the shift's opening."""
    done = site.assign(*_recover([_share(1), _share(3)], [1, 3]), "--out", "seed", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    seed = (site.folder / "seed").read_bytes()
    assert seed == _master(site)
    assert (site.folder / "seed").stat().st_mode & 0o777 == 0o600
    opened = next(entry for entry in site.entries() if entry.kind is Kind.SHIFT_OPEN)
    assert found["commit_master"] == opened.body["commit_master"] == commit_master(ORIGIN, str(SHIFT), seed).hex()
    assert seed.hex() not in done.stdout + done.stderr
    assert _recoveries(site) == []


def test_seed_is_sealed_again_under_a_new_key_and_the_use_is_logged(site: Site) -> None:
    """The lost key: a new key file opens the seed after `--reseal`, and the log says that it was recovered."""
    master = _master(site)
    with pytest.raises(Corrupt, match="SEALED_OTHER_KEY"):
        _master(site, "new.toml")
    done = site.assign(*_recover([_share(2), _share(1)], [1, 2]), "--config", "new.toml", "--reseal")
    assert done.returncode == 0, done.stderr
    assert _master(site, "new.toml") == master
    (entry,) = _recoveries(site)
    assert entry.body == {"purpose": "recover", "wave": str(SHIFT)}
    assert "on record" in done.stdout


def test_checking_a_seed_is_logged_too(site: Site) -> None:
    """Whoever can see the seed has used it, whether or not it is stored again."""
    before = site.run(lambda unit: load_shift(unit.connection, SHIFT).master_sealed)
    done = site.assign(*_recover([_share(2), _share(3)], [2, 3]), "--config", "assign.toml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["checked_against_log"] is True
    assert len(_recoveries(site)) == 1
    assert site.run(lambda unit: load_shift(unit.connection, SHIFT).master_sealed) == before


@pytest.mark.parametrize(
    ("shares", "custodians", "reason"),
    [
        ([_share(1)], [1], "ESCROW_TOO_FEW"),
        ([_share(1), _share(1)], [1], "ESCROW_TOO_FEW"),
        ([_share(1), _share(2, "B")], [1, 2], "ESCROW_OTHER_SECRET"),
        ([_share(1), _share(2)], [1, 3], "ESCROW_NOT_YOURS"),
        ([_share(1), "damaged.age"], [1, 2], "ESCROW_DAMAGED"),
        ([_share(1), "missing.age"], [1, 2], "FILE_UNREADABLE"),
        ([_share(1), "assign.db"], [1, 2], "FILE_UNREADABLE"),
        ([_share(1), "swapped.age"], [1, 2], "ESCROW_NOT_YOURS"),
    ],
)
def test_what_does_not_fit_is_refused(site: Site, shares: list[str], custodians: list[int], reason: str) -> None:
    """Too few, another shift's, another custodian's, changed: one line, status 1, no traceback, nothing logged."""
    text = (site.folder / _share(2)).read_text().splitlines()
    text[3] = text[3][::-1]
    (site.folder / "damaged.age").write_text("\n".join(text))
    (site.folder / "swapped.age").write_bytes((site.folder / _share(3)).read_bytes())
    done = site.assign(*_recover(shares, custodians), "--config", "assign.toml")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {reason}")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert _recoveries(site) == []


def test_seed_of_a_rewritten_log_is_refused(site: Site) -> None:
    """The shares agree with each other; the log, which they are compared with, committed to something else."""

    def rewrite(unit: object) -> None:
        entry = next(entry for entry in entries if entry.kind is Kind.SHIFT_OPEN)
        entry.body["commit_master"] = "00" * 32
        connection = unit.connection  # type: ignore[attr-defined]
        connection.execute(
            update(log_entry)
            .where(log_entry.c.port == PORT, log_entry.c.position == entries.index(entry))
            .values(data=entry.to_bytes())
        )

    entries = site.entries()
    site.run(rewrite)
    done = site.assign(*_recover([_share(1), _share(2)], [1, 2]), "--config", "assign.toml", "--reseal")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ESCROW_NOT_COMMITTED")


def test_rewritten_shift_row_changes_nothing(site: Site) -> None:
    """The commitment beside the sealed seed is not what a recovery is checked with: the log is."""
    site.run(
        lambda unit: (
            unit.connection.execute(update(shift).where(shift.c.port == PORT).values(commitment=bytes(32))) and None
        )
    )
    done = site.assign(*_recover([_share(1), _share(2)], [1, 2]), "--config", "new.toml", "--reseal")
    assert done.returncode == 0, done.stderr


def test_closed_shift_needs_no_recovery(site: Site) -> None:
    """Its seed is in the log for everybody; storing it again would only be a way to change it."""
    site.run(lambda unit: mark_closed(unit.connection, SHIFT), at=START + timedelta(hours=5))
    done = site.assign(*_recover([_share(1), _share(2)], [1, 2]), "--config", "assign.toml", "--reseal")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: SHIFT_CLOSED")


def test_reseal_needs_to_know_where(site: Site) -> None:
    """Without a configuration there is no store to write to."""
    done = site.assign(*_recover([_share(1), _share(2)], [1, 2]), "--reseal")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ESCROW_CONFIG")


def test_key_file_is_split_and_made_again(site: Site) -> None:
    """The shares of the key file give the very file, and everything opens with it."""
    done = site.assign("split-key", "--config", "assign.toml", "--out", "key-shares")
    assert done.returncode == 0, done.stderr
    shares = sorted(str(path) for path in (site.folder / "key-shares").iterdir())
    arguments = ["recover-key", "--share", shares[0], "--share", shares[2]]
    arguments += ["--identity", "custodian-1.txt", "--identity", "custodian-3.txt", "--out", "again.key"]
    done = site.assign(*arguments)
    assert done.returncode == 0, done.stderr
    assert (site.folder / "again.key").read_bytes() == (site.folder / "kek.key").read_bytes()
    refused = site.assign("split-key", "--config", "plain.toml", "--out", "other")
    assert refused.stderr.startswith("Error: ESCROW_NOT_CONFIGURED")


def test_custodian_makes_a_key(site: Site) -> None:
    """`assign escrow custodian` shows the public half alone."""
    done = site.assign("custodian", "me.txt")
    assert done.returncode == 0
    assert done.stdout.startswith("age1")
    assert "SECRET" not in done.stdout + done.stderr


def test_shift_without_escrow_has_nothing_to_export(site: Site) -> None:
    """A clear word instead of an empty directory."""
    done = site.assign("export", "--config", "assign.toml", "--shift", "ports/NLRTM/shifts/never", "--out", "none")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ESCROW_NONE")
