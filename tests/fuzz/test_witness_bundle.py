"""Cosigned checkpoints in a bundle that is hostile: whatever they are, no crash, and never a false "sound"."""

from __future__ import annotations

import io

from bundle_surgery import repair
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_log import ORIGIN, SIGNER
from unit.test_verify_witnesses import HONEST, KEYS

from assign.errors import Corrupt
from assign.log.note import sign_note
from assign.verify.bundle import read_bundle
from assign.verify.replay import verify_bundle

BUNDLE = HONEST.bundle()


def _framed(notes: list[bytes]) -> bytes:
    return b"".join(len(note).to_bytes(4, "big") + note for note in notes)


RECORD = _framed(HONEST.cosigned)


def _mutate(start: int, length: int, replacement: bytes) -> bytes:
    return RECORD[:start] + replacement + RECORD[start + length :]


_TEXTS = st.builds(
    lambda lines: sign_note("".join(f"{line}\n" for line in lines).encode(), SIGNER),
    st.lists(st.sampled_from([ORIGIN, "0", "5", "9223372036854775807", "A" * 43 + "=", "x"]), min_size=1, max_size=5),
)
_BODIES = st.one_of(
    st.builds(_mutate, st.integers(0, len(RECORD)), st.integers(0, 200), st.binary(max_size=60)),
    st.permutations(HONEST.cosigned).map(_framed),
    st.lists(st.one_of(st.sampled_from(HONEST.cosigned), _TEXTS, st.binary(min_size=1, max_size=80)), min_size=1).map(
        _framed
    ),
)


@settings(max_examples=60, deadline=None)
@given(_BODIES)
def test_hostile_cosigned_checkpoints(body: bytes) -> None:
    """Refused as a bundle, or found: only the honest record satisfies an auditor who wants both witnesses."""
    try:
        bundle = read_bundle(io.BytesIO(repair(BUNDLE, "cosigned", body)))
    except Corrupt:
        return
    report = verify_bundle(bundle, trusted_key=SIGNER.verifier().vkey(), witnesses=KEYS, quorum=2)
    assert report.is_sound == (body == RECORD)
