"""Every use of a secret has a stream of its own, and the key schedule uses exactly these."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assign import _core, reference
from assign.draw import keys, streams
from assign.draw.commitment import PROTOCOL
from assign.draw.streams import STREAMS, KeyStream, StreamUse
from assign.encoding import lp, u64be
from assign.errors import InvalidInput

SOURCE = Path(__file__).parents[2] / "src" / "assign"
SECRET = bytes(range(32))
TEXT = st.text(max_size=20)


def test_no_stream_is_another_or_its_beginning() -> None:
    """Labels differ, and no info begins like another: whatever the fields hold."""
    labels = [stream.label for stream in STREAMS]
    prefixes = [lp(PROTOCOL, label) for label in labels]
    assert len(set(labels)) == len(labels)
    for first, second in itertools.permutations(prefixes, 2):
        assert not second.startswith(first)
    for label, other in itertools.permutations(labels, 2):
        assert not other.startswith(f"{label}/"), "a version of another stream would read as the same one"


@given(first=st.sampled_from(STREAMS), second=st.sampled_from(STREAMS), data=st.data())
def test_infos_are_equal_only_where_everything_is(first: StreamUse, second: StreamUse, data: st.DataObject) -> None:
    """Any two uses with any fields, the ones that try to look like others included."""
    one = tuple(data.draw(st.lists(TEXT, min_size=len(first.fields), max_size=len(first.fields))))
    two = tuple(data.draw(st.lists(TEXT, min_size=len(second.fields), max_size=len(second.fields))))
    assert (first.info(*one) == second.info(*two)) == ((first.label, one) == (second.label, two))
    if (first.label, one) != (second.label, two):
        assert not second.info(*two).startswith(first.info(*one))


def test_key_schedule_is_in_the_table() -> None:
    """`keys` derives what the table says, byte for byte."""
    leaf, chain, value = bytes(32), b"\x01" * 32, b"\x02" * 32
    assert keys.wave_seed(SECRET, "o", "s", "w") == streams.SLOT_SEED.derive(SECRET, "o", "s", "w")
    drawn = keys.draw_key(
        beacon_value=value, seed=SECRET, origin="o", wave="w", leaf=leaf, chain_hash=chain, beacon_round=7
    )
    assert drawn == streams.DRAW_KEY.derive(SECRET, "o", "w", leaf, chain, u64be(7), salt=value)
    assert keys.reserve_key(SECRET, "o", "w", "x") == streams.RESERVE.derive(SECRET, "o", "w", "x")
    assert keys.transcript_blind(SECRET, "o", "w") == streams.TRANSCRIPT_BLIND.derive(SECRET, "o", "w")


def test_nobody_derives_a_key_beside_the_table() -> None:
    """In the whole library only two modules know HKDF, and every label that `keys` uses is in the table."""
    knowing = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if "import HKDF" in path.read_text()}
    assert knowing == {"draw/keys.py", "draw/streams.py"}
    used = {
        node.args[1].value
        for node in ast.walk(ast.parse((SOURCE / "draw" / "keys.py").read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "lp"
        and isinstance(node.args[1], ast.Constant)
    }
    assert used <= {stream.label for stream in STREAMS}


def test_table_of_the_protocol_page_is_this_table() -> None:
    """Whoever implements the page implements every stream, and no other."""
    page = (SOURCE.parents[1] / "docs" / "protocol.md").read_text()
    for stream in STREAMS:
        fields = ",".join(stream.fields)
        assert f'| `LP("draw/v1","{stream.label}",{fields})` | {stream.parent} |' in page, stream.label


def test_every_field_has_a_value() -> None:
    """A forgotten field would put two uses on one stream."""
    for stream in STREAMS:
        with pytest.raises(InvalidInput, match="STREAM_FIELDS"):
            stream.info(*["x"] * (len(stream.fields) - 1))
        with pytest.raises(InvalidInput, match="STREAM_FIELDS"):
            stream.derive(SECRET, *["x"] * (len(stream.fields) + 1))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_secrets_have_32_bytes(length: int) -> None:
    """A cut secret is refused, not stretched."""
    with pytest.raises(InvalidInput, match="KEY_LENGTH"):
        streams.RESERVE.derive(bytes(length), "o", "w", "x")


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 1000, 2**31 + 1, 2**32 - 1])
def test_bounded_integers_are_those_of_the_specification(bound: int) -> None:
    """Word by word what `reference` reads from the same keystream, beyond the first block as well."""
    ours, theirs = KeyStream(SECRET), reference.Stream(SECRET, reference.NONCE_PLAIN)
    assert [ours.below(bound) for _ in range(40)] == [theirs.below(bound, 64) for _ in range(40)]


@pytest.mark.parametrize("bound", [0, -1, 2**32])
def test_bounds_are_checked(bound: int) -> None:
    """Nothing is drawn among nobody."""
    with pytest.raises(InvalidInput, match="STREAM_BOUND"):
        KeyStream(SECRET).below(bound)


def test_rejected_words_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word in Lemire's rejection zone is thrown away: for a bound of 3, the word 0 and no other."""
    words = [0, 2**63]
    monkeypatch.setattr(
        _core,
        "keystream",
        lambda _key, length: b"".join(w.to_bytes(8, "little") for w in words * length)[:length],
    )
    assert KeyStream(SECRET).below(3) == 1


def test_stream_shows_no_key() -> None:
    """Not in `repr`."""
    assert SECRET.hex()[:8] not in repr(KeyStream(SECRET))
