"""The map of personal data: no column, field of the log or opened input is missing from it, and none is too many."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from simulated_day import run_day
from simulated_log import Operator

from assign.draw.commitment import is_freeze
from assign.draw.inputs import WaveInputs
from assign.encoding import parse_canonical_json
from assign.log.entries import Entry, Kind
from server.privacy.settings import RetentionConfig
from server.storage.schema import metadata

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "privacy.md").read_text(encoding="utf-8")
ENTRIES = (DOCS / "log-entries.md").read_text(encoding="utf-8")
_WORD = re.compile(r"`([a-z_]+)`")


def _rows(page: str, heading: str) -> dict[str, set[str]]:
    """The first backticked word of each row below a heading, and the words in its second cell."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found: dict[str, set[str]] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].startswith("`"):
            found[cells[1].strip("`")] = set(_WORD.findall(cells[2]))
    return found


def _logged() -> dict[str, set[str]]:
    """The fields of each kind of entry, as the page of the log's bytes has them."""
    found: dict[str, set[str]] = {}
    for line in ENTRIES.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].startswith("`"):
            # `clock` (`system` or `steered`): what stands in brackets are values.
            fields = re.sub(r"\([^)]*\)", "", cells[2])
            found[cells[1].strip("`")] = set(_WORD.findall(fields))
    return found


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_column_is_on_the_map(table: object) -> None:
    """With its purpose, basis and period."""
    columns = {column.name for column in table.columns}  # type: ignore[attr-defined]
    assert _rows(PAGE, "The store").get(table.name) == columns  # type: ignore[attr-defined]


def test_no_table_is_on_the_map_that_is_not_there() -> None:
    """A map of what was is no map."""
    assert set(_rows(PAGE, "The store")) == set(metadata.tables)


@pytest.mark.parametrize("kind", Kind)
def test_every_field_of_the_log_is_on_the_map(kind: Kind) -> None:
    """For every kind of entry, by the page that gives its bytes."""
    assert _rows(PAGE, "The log").get(kind) == _logged()[kind]


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


def test_what_a_day_logs_and_opens_is_on_the_map() -> None:
    """Not by the pages, but by the bytes of a whole day."""
    operator = run_day(Operator())
    known = _rows(PAGE, "The log")
    for data in operator.entries:
        if not is_freeze(data):
            entry = Entry.from_bytes(data)
            body = {key: value for key, value in entry.body.items() if key != "beacon"}
            assert _keys(body) <= known[entry.kind], entry.kind
    opened = set(_WORD.findall(PAGE.partition("## What is opened at the close")[2]))
    for _, inputs in operator.opened_inputs():
        value = parse_canonical_json(inputs)
        assert _keys(value["persons"]) | _keys(value["orders"]) <= opened
        assert WaveInputs.from_bytes(inputs).persons


def test_every_period_is_on_the_map() -> None:
    """And has its default."""
    for name, field in RetentionConfig.model_fields.items():
        section = PAGE.partition("\n## Retention\n")[2].partition("\n## ")[0]
        [line] = [line for line in section.splitlines() if f"| `{name}` |" in line]
        days = field.default
        assert (f"{days // 365} year" in line) if days % 365 == 0 else (f"{days} days" in line)
