"""A thief of the log's signing key: he signs a second log under the same name, and shows each to somebody else."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from simulated_log import SIGNER as DAY_SIGNER
from unit.test_verify_witnesses import HONEST, KEYS
from unit.test_verify_witnesses import day as witnessed_day
from witness_site import LOG, Desk, Log

from assign.errors import AssignError, Corrupt
from assign.log.cosignature import Cosigner, Policy
from assign.log.entries import Entry, Kind
from assign.log.note import Signature, add_signatures
from assign.verify.bundle import read_bundle
from assign.verify.replay import verify_bundle
from server.witness.judge import Refused

_HONEST, _OTHER = Log(20), Log(20, twist=b"!")
_COSIGNERS = [Cosigner(f"witness.example/w{number}", bytes([number]) * 32) for number in (1, 2, 3)]
_SEEN, _GROWN = 8, 16


@pytest.fixture
def desks(tmp_path: Path) -> list[Desk]:
    """Three witnesses with states of their own; all have cosigned eight entries of the honest log."""
    desks = [Desk(tmp_path / f"{one.seed[0]}.db", cosigner=one) for one in _COSIGNERS]
    for desk in desks:
        desk.judge.cosign(_HONEST.request(0, _SEEN))
    return desks


def _policy() -> Policy:
    return Policy((LOG.verifier(),), tuple(one.witness() for one in _COSIGNERS), 2)


def _shown(desk: Desk, log: Log, old: int, new: int) -> Signature | str:
    try:
        return desk.judge.cosign(log.request(old, new))
    except Refused as refused:
        return refused.reason


def test_thief_of_the_log_key_split_view(desks: list[Desk]) -> None:
    """Both logs are signed by the real key; no witness cosigns the second, so that it never gets its 2 of 3."""
    honest = [_shown(desk, _HONEST, _SEEN, _GROWN) for desk in desks]
    _policy().verify(add_signatures(_HONEST.note(_GROWN), *[one for one in honest if isinstance(one, Signature)]))
    # As the growth of what they saw, from nothing, at the same size, and at another.
    for old, new in ((_GROWN, 20), (0, 20), (_SEEN, _GROWN), (_GROWN, _GROWN), (0, _GROWN)):
        refusals = [_shown(desk, _OTHER, old, new) for desk in desks]
        assert all(isinstance(reason, str) for reason in refusals), (old, new)
    with pytest.raises(AssignError, match="QUORUM"):
        _policy().verify(_OTHER.note(20))


def test_thief_of_the_log_key_split_view_between_the_witnesses(desks: list[Desk]) -> None:
    """One log to the first witness, the other to the rest: only one of them can ever have two of three."""
    fresh = [replace(desk, path=desk.path.with_suffix(".fresh")) for desk in desks]
    views = [_HONEST, _OTHER, _OTHER]
    signed = [_shown(desk, view, 0, _GROWN) for desk, view in zip(fresh, views, strict=True)]
    assert all(isinstance(line, Signature) for line in signed)
    crossed = [_shown(desk, view, _GROWN, 20) for desk, view in zip(fresh, [_OTHER, _HONEST, _HONEST], strict=True)]
    assert not any(isinstance(line, Signature) for line in crossed)
    lines = [line for line in signed if isinstance(line, Signature)]
    verified = _policy().verify(add_signatures(_OTHER.note(_GROWN), *lines[1:]))
    assert verified.checkpoint.root == _OTHER.checkpoint(_GROWN).root
    with pytest.raises(AssignError, match="QUORUM"):
        _policy().verify(add_signatures(_HONEST.note(_GROWN), lines[0]))


def test_thief_of_the_log_key_moves_cosignatures() -> None:
    """A cosignature of the honest log under the other's checkpoint is no cosignature: it spoils the note."""
    lines = [one.cosign(_HONEST.checkpoint(_GROWN), time_seconds=1_800_000_000) for one in _COSIGNERS]
    with pytest.raises(Corrupt):
        _policy().verify(add_signatures(_OTHER.note(_GROWN), *lines))


def test_thief_of_the_log_key_split_view_before_an_auditor() -> None:
    """A bundle of a second history that keeps the cosigned checkpoints is proof of two logs; without, unwitnessed."""

    def codes(bundle: bytes) -> set[str]:
        report = verify_bundle(
            read_bundle(io.BytesIO(bundle)), trusted_key=DAY_SIGNER.verifier().vkey(), witnesses=KEYS, quorum=2
        )
        return {str(finding.code) for finding in report.findings}

    assert codes(HONEST.bundle()) == set()
    operator = witnessed_day(*HONEST.cosigners, delay=timedelta(minutes=1))
    index = operator.find(Kind.REFUSAL)
    entry = Entry.from_bytes(operator.entries[index])
    operator.entries[index] = replace(entry, body={**entry.body, "reason": "ANOTHER"}).to_bytes()
    assert codes(operator.bundle()) == {"CHECKPOINT_FORKED", "FREEZE_UNWITNESSED"}
    assert codes(operator.bundle([])) == {"FREEZE_UNWITNESSED"}
