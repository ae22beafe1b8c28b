"""Several files of text are one table: the types are those of all their values, and what does not fit is named."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import files_of, open_data
from taxiway.data.profiling.compute import profile
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.validate import validate
from taxiway.errors import DataError
from taxiway.records import DataReport
from taxiway.spec.source.csv_options import CsvOptions


def written(folder: Path, *texts: str, ending: str = "csv") -> str:
    for at, text in enumerate(texts):
        (folder / f"{at}.{ending}").write_text(text)
    return str(folder / f"*.{ending}")


def read(pattern: str, options: ReadOptions | None = None) -> tuple[dict[str, str], list[tuple[object, ...]]]:
    """The storage of each column, and the rows in order."""
    with open_data(pattern, options or ReadOptions()) as table:
        names = ", ".join(column.sql for column in table.columns)
        return {c.name: c.storage for c in table.columns}, table.rows(f"SELECT {names} FROM numbered ORDER BY file, row_number")


@pytest.mark.parametrize(
    ("first", "second", "storage", "values"),
    [
        ("", "0.5", "DOUBLE", [None, 0.5]),
        ("", "7", "BIGINT", [None, 7]),
        ("NA", "7", "BIGINT", [None, 7]),
        ("NA", "DE", "VARCHAR", ["NA", "DE"]),
        ("", "true", "BOOLEAN", [None, True]),
        ("", "x", "VARCHAR", [None, "x"]),
        ("", "", "VARCHAR", [None, None]),
        ("1", "1.5", "DOUBLE", [1.0, 1.5]),
        ("10115", "01067", "VARCHAR", ["10115", "01067"]),
        ("7", "N/D", "VARCHAR", ["7", "N/D"]),
        ("2024-01-01", "2024-01-01 10:00", "TIMESTAMP", ["2024-01-01 00:00:00", "2024-01-01 10:00:00"]),
        ("9999-12-31", "2024-01-01 10:00:00.1234567", "VARCHAR", ["9999-12-31", "2024-01-01 10:00:00.1234567"]),
        ("2024-01-01 10:00Z", "2024-01-01 10:00", "VARCHAR", ["2024-01-01 10:00Z", "2024-01-01 10:00"]),
    ],
)
def test_a_column_of_csv_has_the_type_of_all_files(
    tmp_path: Path, first: str, second: str, storage: str, values: list[object]
) -> None:
    for order in (1, -1):
        pattern = written(tmp_path, *[f'id,x\n1,"{value}"\n' for value in (first, second)[::order]])
        types, rows = read(pattern)
        assert types["x"] == storage
        found = [row[1] for row in rows][::order]
        assert [
            value if value is None or isinstance(value, bool | int | float | str) else str(value) for value in found
        ] == values


@pytest.mark.parametrize(
    ("first", "second", "storage", "values"),
    [
        ('{"a": 1}', '{"a": 2, "b": 3}', "BIGINT", [None, 3]),
        ('{"a": 1, "b": null}', '{"a": 2, "b": "2024-01-01"}', "DATE", [None, "2024-01-01"]),
        ('{"a": 1, "b": "2024-01-01"}', '{"a": 2, "b": "soon"}', "VARCHAR", ["2024-01-01", "soon"]),
        ('{"a": 1, "b": 1}', '{"b": "x", "a": 2}', "VARCHAR", ["1", "x"]),
        ('{"a": 1, "b": [1]}', '{"a": 2}', "VARCHAR", ["[1]", None]),
    ],
)
def test_a_key_that_only_one_file_has_is_missing_in_the_other(
    tmp_path: Path, first: str, second: str, storage: str, values: list[object]
) -> None:
    types, rows = read(written(tmp_path, first, second, ending="jsonl"))
    assert types == {"a": "BIGINT", "b": storage}
    assert [row[1] if row[1] is None or isinstance(row[1], int) else str(row[1]) for row in rows] == values


def test_columns_in_another_order_are_the_same_columns(tmp_path: Path) -> None:
    _, rows = read(written(tmp_path, "id,x\n1,2\n", "x,id\n5,6\n"))
    assert rows == [(1, 2), (6, 5)]


def test_a_column_that_came_is_named_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'0\.csv and 1\.csv have different columns: "y" is only in 1\.csv'):
        profile(written(tmp_path, "x\n1\n", "x,y\n1,2\n"))


def test_days_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for day in (1, 2, 10, 11):
        (tmp_path / f"day-{day}.csv").write_text("x\n1\n")
    assert [Path(file).stem for file in files_of(tmp_path / "day-*.csv")] == ["day-1", "day-2", "day-10", "day-11"]


def test_compressed_and_plain_files_are_typed_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("zip\n10115\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"zip\n01067\n"))
    assert read(str(tmp_path / "*.csv*")) == ({"zip": "VARCHAR"}, [("10115",), ("01067",)])


def judged(pattern: str, *features: Feature) -> DataReport:
    return validate(pattern, Schema(features=features))


def test_a_wrong_value_is_named_with_its_file_and_row(tmp_path: Path) -> None:
    pattern = written(tmp_path, "x\n1\n2\n", "x\n3\n999\n")
    (anomaly,) = judged(pattern, Feature(name="x", type="integer", domain=(1, 2, 3))).anomalies
    assert '"999" (1 row)' in anomaly.message
    with_range = Feature.model_validate({"name": "x", "type": "integer", "range": {"max": 100}})
    (anomaly,) = judged(pattern, with_range).anomalies
    assert anomaly.message.endswith("furthest at 999 (row 2 of 1.csv).")


def test_files_of_one_name_are_told_by_their_folders(tmp_path: Path) -> None:
    for folder, header in (("DE", "x"), ("FR", "y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "data.csv").write_text(f"{header}\n1\n")
    with pytest.raises(DataError, match=r'"x" is only in DE/data\.csv, "y" is only in FR/data\.csv'):
        profile(str(tmp_path / "*" / "data.csv"))
    (tmp_path / "FR" / "data.csv").write_text("x\n2\n")
    (anomaly,) = judged(
        str(tmp_path / "*" / "data.csv"), Feature.model_validate({"name": "x", "type": "integer", "range": {"max": 1}})
    ).anomalies
    assert anomaly.message.endswith("(row 1 of FR/data.csv).")


def test_the_type_names_the_values_that_are_otherwise(tmp_path: Path) -> None:
    (tmp_path / "late.csv").write_text("a\n" + "".join(f"{at}\n" for at in range(4_000)) + "N/D\n")
    (anomaly,) = judged(str(tmp_path / "late.csv"), Feature(name="a", type="integer")).anomalies
    assert anomaly.message.endswith('got string (VARCHAR), such as "N/D" (row 4,001).')
    assert (anomaly.examples, anomaly.rows) == (('"N/D"',), (4_001,))


@pytest.mark.parametrize(
    ("type_", "values", "wrong"),
    [
        ("number", ["1", "2.5", "-"], "-"),
        ("integer", ["1", "Total"], "Total"),
        ("integer", ["1", "x", "1.5"], "x"),
        ("boolean", ["true", "false", "maybe"], "maybe"),
        ("date", ["2024-01-01", "2024-02-30"], "2024-02-30"),
        ("datetime", ["2024-01-01 10:00", "2024-01-01", "soon"], "soon"),
    ],
)
def test_the_value_that_has_another_type_is_shown_first(tmp_path: Path, type_: str, values: list[str], wrong: str) -> None:
    (tmp_path / "x.csv").write_text("\n".join(["a", *values]) + "\n")
    (anomaly,) = judged(str(tmp_path / "x.csv"), Feature.model_validate({"name": "a", "type": type_})).anomalies
    assert (anomaly.kind, anomaly.examples[0]) == ("type", f'"{wrong}"')
    assert anomaly.rows[0] == values.index(wrong) + 1


def test_a_month_that_has_only_midnights_has_times(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("at\n2024-01-01\n")
    assert judged(str(tmp_path / "x.csv"), Feature(name="at", type="datetime")).anomalies == ()


_WORDS = [
    "",
    "NA",
    "x",
    " y",
    "0",
    "7",
    "-1",
    "01",
    str(2**63),
    "1.5",
    "1e3",
    "inf",
    "true",
    "False",
    "9999-12-31",
    "2024-02-29",
]
_TIMES = ["2024-01-01 10:00", "2024-01-01T10:00:00.1234567", "2024-01-01 10:00Z", "2024-01-01 10:00:00 +0100", "2024-02-30"]
_JSON = [None, "", "x", "2024-01-01", "2024-01-01 10:00", 1, 2**70, 1.5, True, [1], {"a": None}]


@examples(20)
@given(data=st.data())
def test_files_are_read_as_the_one_file_of_all_their_rows(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ending = data.draw(st.sampled_from(["csv", "jsonl"]))
    pool = data.draw(st.lists(st.sampled_from(_WORDS + _TIMES if ending == "csv" else _JSON), min_size=1, max_size=3))
    values: list[object] = data.draw(st.lists(st.sampled_from(pool), min_size=2, max_size=6))
    cut = data.draw(st.integers(1, len(values) - 1))
    folder = tmp_path_factory.mktemp("several")

    def text(some: list[object]) -> str:
        if ending == "csv":
            return "".join(['id,"v"\n', *(f'1,"{value}"\n' for value in some)])
        return "".join(json.dumps({"id": 1, "v": value}) + "\n" for value in some)

    (folder / "all").mkdir()
    (folder / "parts").mkdir()
    whole = read(written(folder / "all", text(values), ending=ending))
    parts = read(written(folder / "parts", text(values[:cut]), text(values[cut:]), ending=ending))
    assert parts == whole


@examples(20)
@given(rows=st.lists(st.lists(st.text('ab1,;"\n é', max_size=4), min_size=2, max_size=2), min_size=1, max_size=5))
def test_no_row_is_lost_without_a_header(rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("headerless") / "x.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        stream.write("# a comment\n")
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(rows)
    options = ReadOptions(
        csv=CsvOptions(delimiter=",", header=False, skip=1), types={"column_1": "string", "column_2": "string"}
    )
    _, found = read(str(path), options)
    assert found == [tuple(cell or None for cell in row) for row in rows]


def test_hidden_files_are_no_data_unless_the_pattern_names_them(tmp_path: Path) -> None:
    for name in ("a.csv", "_b.csv", ".c.csv"):
        (tmp_path / name).write_text("x\n1\n")
    assert [Path(path).name for path in files_of(f"{tmp_path}/*.csv")] == ["a.csv"]
    assert [Path(path).name for path in files_of(f"{tmp_path}/_*.csv")] == ["_b.csv"]
