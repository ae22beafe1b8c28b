"""Files of rows become Parquet with each row as it was, or an error says what is wrong and on which line."""

import codecs
import csv
import gzip
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from data.formats.tables import Read, columns, parquet, types
from hypothesis import assume, given
from hypothesis import strategies as st

from helping import examples, rounds
from taxiway.data.formats import csv as csv_file
from taxiway.data.formats.convert import format_of, known_format
from taxiway.data.ingest.ingest import ingest
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, DataError
from taxiway.records.digests import digest_of_file
from taxiway.store.store import Store

PUBLIC = Path(__file__).parents[5] / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a/2013-01.csv", "csv"),
        ("a/2013-01.CSV.GZ", "csv"),
        ("{YYYY}.tsv", "csv"),
        ("s3://b/{YYYY}.jsonl.gz", "jsonl"),
        ("x.ndjson", "jsonl"),
        ("x.json", "jsonl"),
        ("https://there/x.parquet?version=1", "parquet"),
        ("x.parquet.gz", None),
        ("x.gz", None),
        ("csv", None),
        ("x.xlsx", None),
    ],
)
def test_the_ending_tells_the_format(name: str, kind: str | None) -> None:
    assert known_format(name) == kind
    if kind is None:
        with pytest.raises(ConfigError, match=r"is unknown; allowed: .*\.csv.*or its format, by the key format"):
            format_of(name)


@pytest.mark.parametrize(
    ("values", "type_", "read_as"),
    [
        (["1", "-2", "", "0"], "int64", [1, -2, None, 0]),
        (["1", "NA", "null"], "int64", [1, None, None]),
        (["9223372036854775807", "-9223372036854775808"], "int64", [2**63 - 1, -(2**63)]),
        (["1", "9223372036854775808"], "string", ["1", "9223372036854775808"]),
        (["1", "2.5", ".5", "5.", "1e3", "-0"], "double", [1.0, 2.5, 0.5, 5.0, 1000.0, 0.0]),
        (["1.7976931348623157e308", "-inf", "NaN"], "double", [1.7976931348623157e308, float("-inf"), None]),
        (["1e999", "1"], "string", ["1e999", "1"]),
        (["01234", "90210"], "string", ["01234", "90210"]),
        (["+49301234", "1"], "string", ["+49301234", "1"]),
        (["true", "False", "TRUE", "N/A"], "bool", [True, False, True, None]),
        (["true", "1"], "string", ["true", "1"]),
        (["yes", "no"], "string", ["yes", "no"]),
        (["2013-02-28", "2012-02-29"], "date32[day]", ["2013-02-28", "2012-02-29"]),
        (["2013-02-28", "2013-02-30"], "string", ["2013-02-28", "2013-02-30"]),
        (["2013-02-28", "2013-02-28 10:00"], "timestamp[us]", ["2013-02-28 00:00:00", "2013-02-28 10:00:00"]),
        (["28/02/2013"], "string", ["28/02/2013"]),
        (["2013-02-28 10:00:00.5", "2013-02-28T10:00"], "timestamp[us]", ["2013-02-28 10:00:00.500000", "2013-02-28 10:00:00"]),
        (
            ["2013-02-28T10:00:00+02:00", "2013-02-28T10:00Z"],
            "timestamp[us, tz=UTC]",
            ["2013-02-28 08:00:00+00:00", "2013-02-28 10:00:00+00:00"],
        ),
        (["NA", "DE", ""], "string", ["NA", "DE", None]),
        (["NA", ""], "string", ["NA", None]),
        (["", ""], "null", [None, None]),
        (["1,5", "2"], "string", ["1,5", "2"]),
        ([" 7", "8 "], "int64", [7, 8]),
        ([" x", "8 "], "string", [" x", "8 "]),
    ],
)
def test_a_column_is_what_all_its_values_are_and_else_text_as_it_was(
    read: Read, values: list[str], type_: str, read_as: list[Any]
) -> None:
    for order in (1, -1):
        lines = [f'"{value}",x' for value in values[::order]]
        table = read("\n".join(["a,b", *lines]))
        assert types(table)["a"] == type_
        found = columns(table)["a"][::order]
        assert [value if value is None or isinstance(value, int | float | str) else str(value) for value in found] == read_as


def test_a_text_far_down_makes_the_whole_column_text(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "_CHUNK_BYTES", 1 << 16)
    lines = [f"{at},{at}" for at in range(200_000)]
    table = read("\n".join(["a,b", *lines, "x,1", ",2"]))
    assert types(table) == {"a": "string", "b": "int64"}
    assert columns(table)["a"] == [*map(str, range(200_000)), "x", None]


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_delimiter_is_told(read: Read, sign: str) -> None:
    lines = [["a", "b", "c"], ["1", f'"x{sign} y, z"', "5"], ["2", "y", "7"]]
    table = read("".join(sign.join(line) + "\n" for line in lines))
    assert columns(table) == {"a": [1, 2], "b": [f"x{sign} y, z", "y"], "c": [5, 7]}


def test_a_comma_in_the_numbers_is_not_what_splits_them(read: Read) -> None:
    assert columns(read("a;b\n1,5;2,25\n3,5;4,75\n")) == {"a": ["1,5", "3,5"], "b": ["2,25", "4,75"]}


def test_one_column_is_a_table_too(read: Read) -> None:
    assert columns(read('a\n1\n\n""\n2\n')) == {"a": [1, None, 2]}


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_a_byte_order_mark_is_obeyed_and_no_part_of_a_name(read: Read, mark: bytes, encoding: str) -> None:
    assert columns(read(mark + "größe,b\n1,Straße\n".encode(encoding))) == {"größe": [1], "b": ["Straße"]}


def test_a_mark_within_the_rows_is_text(read: Read) -> None:
    assert columns(read("\ufeffa,b\n\ufeffx,1\n")) == {"a": ["\ufeffx"], "b": [1]}


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way_and_fields_hold_lines(read: Read, ends: str) -> None:
    table = read(f'a,"b{ends}c"{ends}{ends}1,"x{ends}y""z"{ends}{ends}2,w')
    assert columns(table) == {"a": [1, 2], f"b{ends}c": [f'x{ends}y"z', "w"]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", r"rows.csv is empty \(0 bytes\)"),
        ("\n\n", "has only empty lines"),
        ("a,b\n", "has a header of 2 columns and no rows"),
        ("a,b", "has a header of 2 columns and no rows"),
        ("a,b\n1,2\n3\n", r"rows.csv:3: 1 field, but the header has 2 \(delimiter: comma\): '3'"),
        ('a,b\n1,"x\ny"\n1,2,3\n', r"rows.csv:4: 3 fields, but the header has 2.*quote fields that contain a comma"),
        ("a;b\n1;2\n1;2;3\n", r"rows.csv:3: 3 fields, but the header has 2 \(delimiter: semicolon"),
        ('a,b\n1,"x\n2,y\n3,z\n', "rows.csv:2: the record that begins here is not valid CSV: a quote is not closed"),
        ('a,b\n1,2\n1,"x"y\n', "rows.csv:3: .*there is text after a closing quote"),
        ("a,,b\n1,2,3\n", "rows.csv:1: column 2 of 3 has no name; name each column at the source"),
        (",a\n0,2\n", r"column 1 of 2 has no name \(pandas writes its index like this; use index=False\)"),
        ("a,b,a\n1,2,3\n", 'rows.csv:1: more than one column is named "a"'),
        (b"a,b\n1,x\x00y\n", "rows.csv:2: a NUL byte"),
        ("a,b\n1,x\n".encode("utf-16-le"), "rows.csv:1: a NUL byte.*UTF-16 without a byte order mark"),
        (b"a,b\n1,x\n2,caf\xe9\n", r"rows.csv:3: the bytes b'\\xe9.*' are not UTF-8.*iconv"),
        (codecs.BOM_UTF16_LE + "a,b\n1,2\n".encode("utf-16-le")[:-1], "are not UTF-16-LE"),
        (b"PAR1....", "is not text: it is Parquet"),
        (b"PK\x03\x04....", "is not text: it is a ZIP archive or an Excel file"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:-9], "is truncated or corrupt: gzip reports"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 1000, mtime=0)[:-8] + b"12345678", "is truncated or corrupt"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0) + b"rubbish", "is truncated or corrupt"),
    ],
)
def test_what_is_no_csv_names_the_line_and_what_to_do(read: Read, content: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(content)


def test_records_longer_than_a_block_are_whole(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "_CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr(csv_file, "_CHUNK_BYTES_A_COLUMN", 1)
    long = "x\n" * 200_000
    assert columns(read(f'a,b\n1,"{long}"\n2,y\n')) == {"a": [1, 2], "b": [long, "y"]}


@pytest.mark.deep
def test_thousands_of_columns(read: Read) -> None:
    names = [f"c{at}" for at in range(rounds(2_000, 10_000))]
    table = read("\n".join([",".join(names), *(",".join([str(row)] * len(names)) for row in range(20))]))
    assert table.column_names == names
    assert set(types(table).values()) == {"int64"}
    assert columns(table)[names[-1]] == list(range(20))


def test_the_same_text_gives_the_same_bytes_compressed_or_not(tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{at},x{at % 7}\n" for at in range(100_000))
    contents = {"one.csv": text.encode(), "two.csv": text.encode(), "three.csv.gz": gzip.compress(text.encode())}
    digests = set()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        digests.add(digest_of_file(parquet(tmp_path / name, tmp_path)))
    assert len(digests) == 1
    assert not (tmp_path / "text").exists()


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.sampled_from(
    [
        '"',
        '""',
        ",",
        "\n",
        "\r",
        "\r\n",
        ";",
        " ",
        "é",
        "NA",
        "1",
        "-1.5",
        "true",
        "2013-01-01",
        "x\ny",
        '5" pipe',
        "'",
        "\u2028",
    ]
)


tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=12)
)


@examples(150)
@given(
    rows=tables,
    sign=st.sampled_from(",;\t|"),
    ends=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_a_table_that_python_wrote_comes_back_row_by_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], sign: str, ends: str, quoting: Any
) -> None:
    # Python's writer leaves a lone carriage return unquoted where lines end otherwise; who reads that cannot know.
    assume(ends == "\r\n" or quoting == csv.QUOTE_ALL or not any("\r" in cell for row in rows for cell in row))
    folder = tmp_path_factory.mktemp("csv")
    # A last column of words keeps the signs apart; a column of text keeps every value as it was.
    names = [*(f"c{at}" for at in range(len(rows[0]))), "last"]
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=sign, lineterminator=ends, quoting=quoting)
        writer.writerows([names, *([*row, "word"] for row in rows), [*("text" for _ in rows[0]), "word"]])
    table = pq.read_table(parquet(folder / "rows.csv", folder))
    assert table.column_names == names
    back = [list(row.values()) for row in table.to_pylist()]
    assert back == [*([*(cell or None for cell in row), "word"] for row in rows), [*("text" for _ in rows[0]), "word"]]


@examples(100)
@given(numbers=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False), min_size=1, max_size=20))
def test_numbers_that_python_wrote_come_back_as_those_numbers(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int | float | None]
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["a", "b"], *([number, "x"] for number in numbers)])
    found = pq.read_table(parquet(folder / "rows.csv", folder)).column("a").to_pylist()
    floats = any(isinstance(number, float) for number in numbers)
    assert found == [float(number) if floats and number is not None else number for number in numbers]


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public data are not on this machine")
@pytest.mark.parametrize(
    ("name", "rows", "some"),
    [
        ("adult.csv.gz", 32_561, {"age": "int64", "workclass": "string"}),
        ("csv_multi_line_string.csv", 3, {"A": "int64", "B": "string"}),
        ("elec.csv.gz", 45_312, {"period": "double"}),
        ("titanic.csv", 891, {"Age": "double", "Ticket": "string", "Name": "string"}),
        ("bike_sharing_hour.csv", 17_379, {"dteday": "date32[day]", "temp": "double"}),
        ("synthetic_car_loan_analysis.csv.gz", 50_000, {"timestamp": "timestamp[us]", "repaid_loan_on_prev_car": "bool"}),
    ],
)
def test_public_files_are_read_whole(tmp_path: Path, name: str, rows: int, some: dict[str, str]) -> None:
    table = pq.read_table(parquet(PUBLIC / name, tmp_path))
    assert table.num_rows == rows
    assert some.items() <= types(table).items()


def test_a_window_may_mix_formats_and_the_format_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "2.csv").write_text("a;b\n3;z\n")
    snapshot = ingest(find_spans(f"{tmp_path}/{{SPAN}}.csv"), pipeline="p", source="s", store=Store(str(tmp_path / "store")))
    assert [span.rows for span in snapshot.spans] == [2, 1]
    with pytest.raises(ConfigError, match="is unknown"):
        (tmp_path / "1.rows").write_text("a,b\n1,x\n")
        (tmp_path / "2.rows").write_text("a,b\n1,x\n")
        ingest(find_spans(f"{tmp_path}/{{SPAN}}.rows"), pipeline="p", source="s", store=Store(str(tmp_path / "store")))
