"""Bundles of any content are read back as they were written, and no prefix of one is a bundle."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assign.errors import Corrupt
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner
from assign.verify.bundle import read_bundle, write_bundle

SIGNER = NoteSigner("assign.example/NLRTM", bytes(32))

_entries = st.lists(st.binary(min_size=1, max_size=300), max_size=30)
_inputs = st.dictionaries(
    st.integers(0, 10**6).map(lambda number: f"ports/NLRTM/shifts/s-{number}/waves/20261124T060000Z"),
    st.binary(max_size=300),
    max_size=8,
)


def written(entries: list[bytes], inputs: dict[str, bytes]) -> bytes:
    """The bundle."""
    checkpoint = Checkpoint(SIGNER.name, len(entries), root_of(map(leaf_hash, entries)))
    file = io.BytesIO()
    write_bundle(
        file,
        log_key=SIGNER.verifier().vkey(),
        checkpoint=sign_checkpoint(checkpoint, SIGNER),
        entries=entries,
        inputs=sorted(inputs.items()),
    )
    return file.getvalue()


@settings(deadline=None)
@given(_entries, _inputs)
def test_round_trip(entries: list[bytes], inputs: dict[str, bytes]) -> None:
    """Every entry and every wave, whatever the bytes."""
    with read_bundle(io.BytesIO(written(entries, inputs))) as bundle:
        assert [*bundle.entries()] == entries
        assert {wave: bundle.inputs(wave) for wave in bundle.waves} == inputs
        assert list(bundle.waves) == sorted(inputs)


@settings(deadline=None)
@given(_entries, _inputs, st.floats(0, 1, exclude_max=True))
def test_no_prefix_is_a_bundle(entries: list[bytes], inputs: dict[str, bytes], share: float) -> None:
    """Cut anywhere."""
    data = written(entries, inputs)
    with pytest.raises(Corrupt):
        read_bundle(io.BytesIO(data[: int(len(data) * share)]))
