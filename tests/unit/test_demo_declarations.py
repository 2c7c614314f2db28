"""Declarations files, as they come."""

import pytest

from assign.errors import InvalidInput, NotFound
from server.demo.declarations import parse_declarations, read_declarations, shipped_declarations

HEADER = "Declaration ID,Date,Mode of Transport,Declarant ID,Importer ID,HS6 Code,Fraud,Critical Fraud"


def parse(*rows: str, header: str = HEADER, bom: bytes = b"", newline: str = "\n"):
    return parse_declarations(bom + newline.join([header, *rows, ""]).encode(), name="file.csv")


def test_shipped_file_has_the_sea_rows():
    source = shipped_declarations()
    assert source.row_count == 8_134
    assert len(source.declarations) == 4_597
    assert source.left_out == ()
    assert {declaration.tier for declaration in source.declarations} == {0, 1, 2}


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_do_not_matter(bom, newline):
    source = parse("1,2021-01-01,10,D,I,071080,0,0", "2,2021-01-01,40,D,I,071080,0,0", bom=bom, newline=newline)
    assert [declaration.order for declaration in source.declarations] == ["1"]
    assert source.row_count == 2


def test_column_order_case_and_separator_do_not_matter():
    source = parse("0;1;10;9.5;071080;;I;1", header="fraud;CRITICAL FRAUD;Mode Of Transport;Tax Rate; HS6 Code;"
                   "Declarant ID;Importer ID;Declaration ID")  # fmt: skip
    (declaration,) = source.declarations
    assert (declaration.order, declaration.chapter, declaration.tier) == ("1", "07", 1)
    assert len(declaration.parties) == 1


@pytest.mark.parametrize(
    ("code", "chapter"),
    [("071080", "07"), ("71080", "07"), ("71080.0", "07"), ("0710.80", "07"), ("", ""), ("n/a", ""), ("293329", "29")],
)
def test_chapter_survives_what_spreadsheets_do(code, chapter):
    assert parse(f"1,,10,D,I,{code},0,0").declarations[0].chapter == chapter


@pytest.mark.parametrize(
    ("fraud", "critical", "tier"),
    [("0", "0", 2), ("1", "1", 1), ("1", "2", 0), ("1.0", "2.0", 0), ("", "", 2), ("1", "", 1)],
)
def test_tier_is_the_class_of_the_finding(fraud, critical, tier):
    assert parse(f"1,,10,D,I,1,{fraud},{critical}").declarations[0].tier == tier


def test_unusable_rows_are_left_out_and_counted():
    source = parse(
        "1,,10,D,I,1,0,0", ",,10,D,I,1,0,0", "1,,10,D,I,1,0,0", "1,,10,D,I,1,1,1", "2,,10,D,I,1,maybe,0", "", "3,,10"
    )
    assert [declaration.order for declaration in source.declarations] == ["1", "3"]
    told = [str(left) for left in source.left_out]
    assert told == [
        "1 row left out: it has no declaration id (first on line 3)",
        "2 rows left out: its declaration id occurred before (first on line 4)",
        "1 row left out: its finding is not 0, 1 or 2 (first on line 6)",
    ]


def test_blank_parties_are_no_parties_and_known_ones_are_opaque():
    nobody, both = parse("1,,10,,,1,0,0", "2,,10,ACME BV,ACME BV,1,0,0").declarations
    assert nobody.parties == frozenset()
    (party,) = both.parties
    assert "ACME" not in party


def test_ids_that_cannot_be_resource_ids_are_replaced():
    ids = [
        declaration.order
        for declaration in parse("21NL/0001 x,,10,D,I,1,0,0", f"{'9' * 64},,10,D,I,1,0,0").declarations
    ]
    assert all(one.startswith("d-") and len(one) <= 40 for one in ids)
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("data", "reason", "field"),
    [
        (b"", "DECLARATIONS_COLUMNS", "Declaration ID"),
        (HEADER.replace("HS6 Code", "HS").encode(), "DECLARATIONS_COLUMNS", "HS6 Code"),
        (HEADER.encode(), "DECLARATIONS_NO_SEA", "Mode of Transport"),
        (f"{HEADER}\n1,,40,D,I,1,0,0\n".encode(), "DECLARATIONS_NO_SEA", "Mode of Transport"),
        (f"{HEADER}\n1,,10,D,I,1,0,0\n2,,10,Caf\xe9".encode("latin-1"), "DECLARATIONS_ENCODING", "line 3"),
        (f'{HEADER}\n1,,10,D,I,1,0,0\n2,,10,"{"x" * 200_000}",I'.encode(), "DECLARATIONS_CSV", "line 3"),
        (bytes(range(256)), "DECLARATIONS_ENCODING", "line 2"),
        (HEADER.encode("utf-16"), "DECLARATIONS_ENCODING", "line 1"),
    ],
    ids=["empty", "column", "header-only", "no-sea", "latin-1", "huge-field", "binary", "utf-16"],
)
def test_file_that_cannot_be_used_is_refused_with_its_place(data, reason, field):
    with pytest.raises(InvalidInput) as caught:
        parse_declarations(data, name="file.csv")
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"none\.csv"):
        read_declarations(tmp_path / "none.csv")
    with pytest.raises(NotFound):
        read_declarations(tmp_path)
