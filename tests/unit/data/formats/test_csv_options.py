"""How a CSV file is written can be said, and what is doubtful about it is said with the option that settles it."""

from pathlib import Path
from typing import Any

import pytest

from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import open_data
from taxiway.data.profiling.profiler import profile_table
from taxiway.data.schema.remarks import remarks_of
from taxiway.errors import ConfigError, DataError
from taxiway.spec.source.csv_options import CsvOptions, csv_options


def read(folder: Path, content: str | bytes, name: str = "x.csv", **options: Any) -> tuple[dict[str, list[object]], str]:
    """The columns of a file, and the notes and remarks on it."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_data(path, ReadOptions(csv=CsvOptions.model_validate(options))) as table:
        rows = table.rows("SELECT * EXCLUDE (file, row_number) FROM numbered ORDER BY row_number")
        found = {column.name: [row[at] for row in rows] for at, column in enumerate(table.columns)}
        return found, "\n".join([*table.notes, *remarks_of(table, profile_table(table)).values()])


@pytest.mark.parametrize(
    ("content", "options", "columns"),
    [
        ("Menge, kg;Preis\n1,5;2,25\n", {"delimiter": ";", "decimal": ","}, {"Menge, kg": [1.5], "Preis": [2.25]}),
        ("a^b\n1^2\n", {"delimiter": "^"}, {"a": [1], "b": [2]}),
        ("a\tb\n1\t2\n", {"delimiter": "tab"}, {"a": [1], "b": [2]}),
        ("5.1,setosa\n4.9,versicolor\n", {"header": False}, {"column_1": [5.1, 4.9], "column_2": ["setosa", "versicolor"]}),
        ("1\n2\n", {"header": False}, {"column_1": [1, 2]}),
        ("# plant 7\nid\n1\n", {"skip": 1}, {"id": [1]}),
        ("# plant 7\n\n1\n", {"skip": 1, "header": False}, {"column_1": [1]}),
        ('a\n"1,234"\n"12"\n', {"thousands": ","}, {"a": [1234, 12]}),
        ('a\n"1,234"\n"12,34"\n', {"thousands": ","}, {"a": ["1,234", "12,34"]}),
        ("a;b\n1.234,5;x\n-12,5;y\n", {"decimal": ",", "thousands": "."}, {"a": [1234.5, -12.5], "b": ["x", "y"]}),
        ("a;b\n1.5;x\n", {"decimal": ","}, {"a": ["1.5"], "b": ["x"]}),
        ("a;b\n1\u202f234;x\n5 678;y\n", {"thousands": " "}, {"a": [1234, 5678], "b": ["x", "y"]}),
        ("a\n01.234\n", {"thousands": "."} | {"decimal": ","}, {"a": ["01.234"]}),
        ("a\n-\n7\n?\n", {"null": ["-", "?"]}, {"a": [None, 7, None]}),
        ("a\nx\n?\n", {"null": "?"}, {"a": ["x", None]}),
        ("größe\n1\n".encode("latin-1"), {"encoding": "latin-1"}, {"größe": [1]}),
        ("größe\n1\n".encode("utf-16"), {"encoding": "utf-16"}, {"größe": [1]}),
    ],
)
def test_a_file_is_read_as_it_is_said_to_be_written(
    tmp_path: Path, content: str | bytes, options: dict[str, Any], columns: dict[str, list[object]]
) -> None:
    found, notes = read(tmp_path, content, **options)
    assert found == columns
    assert "csv: {" not in notes or "thousands" in options or "decimal" in options


@pytest.mark.parametrize(
    ("dayfirst", "texts", "days"),
    [
        (True, ["03/04/2024", "31.12.2023"], ["2024-04-03", "2023-12-31"]),
        (False, ["3/4/2024", "12-31-2023"], ["2024-03-04", "2023-12-31"]),
        (True, ["3/4/2024 10:30"], ["2024-04-03 10:30:00"]),
        (True, ["1/1/2024", "2024-01-02"], ["2024-01-01", "2024-01-02"]),
        (True, ["31/02/2024"], ["31/02/2024"]),
        (None, ["03/04/2024"], ["03/04/2024"]),
    ],
)
def test_dates_begin_with_what_is_said(tmp_path: Path, dayfirst: bool | None, texts: list[str], days: list[str]) -> None:
    found, _ = read(tmp_path, "\n".join(["d", *texts]) + "\n", dayfirst=dayfirst)
    assert list(map(str, found["d"])) == days


@pytest.mark.parametrize(
    ("texts", "moments"),
    [
        (["2024-01-01 10:00:00+00"], ["2024-01-01 10:00:00+00:00"]),
        (["2024-01-01 10:00:00 UTC", "2024-01-01 12:00 +0200"], ["2024-01-01 10:00:00+00:00", "2024-01-01 10:00:00+00:00"]),
        (["2024-01-01 10:00:00 +00:00"], ["2024-01-01 10:00:00+00:00"]),
        (["2024-01-01 10:00:00.1200000"], ["2024-01-01 10:00:00.120000"]),
        (["2024-01-01T10:00:00.120000000Z"], ["2024-01-01 10:00:00.120000+00:00"]),
        (["9999-12-31 00:00:00.0000000"], ["9999-12-31 00:00:00"]),
        (["9999-12-31 00:00:00.0000001"], ["9999-12-31 00:00:00.0000001"]),
        (["2024-01-01 10:00 CET"], ["2024-01-01 10:00 CET"]),
    ],
)
def test_times_are_those_that_databases_write(tmp_path: Path, texts: list[str], moments: list[str]) -> None:
    found, _ = read(tmp_path, "\n".join(["t", *texts]) + "\n")
    assert list(map(str, found["t"])) == moments


def test_nanoseconds_are_kept(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("t\n2024-01-01 10:00:00.123456789\n2024-01-01 10:00:00\n")
    with open_data(tmp_path / "x.csv") as table:
        assert table.columns[0].storage == "TIMESTAMP_NS"
        assert table.rows("SELECT epoch_ns(c0) % 1000000000 FROM span ORDER BY 1") == [(0,), (123456789,)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "Menge, kg;Preis, EUR\n1,5;2,25\n",
            "a comma, but a semicolon fits as well; say which it is: csv: {delimiter: ','} or ",
        ),
        ("a^b\n1^2\n", "the delimiter is a caret; say which it is: csv: {delimiter: '^'}"),
        ("a:b\n1:2\n", "a colon"),
        ("5.1,3.5,setosa\n4.9,3,versicolor\n", "x.csv:1: the first line looks like a row"),
        ("# plant 7, all in kg\nid,weight\n1,2\n", "x.csv:1: the header begins with '#': \"# plant 7, all in kg\""),
        ("sep=;\na;b\n1;2\n", 'x.csv:1: the line "sep=;" is Excel\'s'),
        ('a,b\n1, "2"\n', "x.csv:2: a blank stands before a quote"),
        ('a\n"1,234"\n"12"\n', "look like numbers with a comma between thousands"),
        ('a\n"1,5"\n', "look like numbers with a decimal comma"),
        ("a\n31/12/2023\n", "look like dates that begin with the day or the month; in CSV, csv: {dayfirst: true}"),
        ("a\nY\nN\n", "look like booleans"),
        ("a\nt\nf\n", "look like booleans"),
        ("a\nja\nnein\n", 'only "ja" and "nein"; if these are booleans'),
        ("a\n1\n1e400\n", "look like numbers, some of them too large for 64 bits"),
        ("a\n01067\n1067\n", 'digits with and without zeros before them: "01067" and "1067" may be the same code'),
        ("a\n5 %\n", "look like percentages"),
        ('a\n"danish "\ndanish\n', 'such as "danish "; "danish" is another value'),
    ],
)
def test_a_doubt_is_said_with_what_settles_it(tmp_path: Path, content: str, said: str) -> None:
    assert said in read(tmp_path, content)[1]


@pytest.mark.parametrize(
    "content", ["id,name\n1,a\n2,b\n", "a;b\n1,5;x\n", 'a,b\n1,"x, ""y"""\n', "2020_sales,b\n1,x\n", "a\nx y\n"]
)
def test_an_ordinary_file_has_no_notes(tmp_path: Path, content: str) -> None:
    notes = read(tmp_path, content)[1]
    assert "x.csv" not in notes


def test_a_doubt_that_is_settled_is_not_said_again(tmp_path: Path) -> None:
    assert "fits as well" not in read(tmp_path, "a, b;c\n1,5;2\n", delimiter=",")[1]
    assert "looks like a row" not in read(tmp_path, "2019,2020\n1,2\n", header=True)[1]


def test_a_remark_is_about_all_rows_and_not_only_the_frequent(tmp_path: Path) -> None:
    prices = [f'"{at // 1000:d},{at % 1000:03d}"' for at in range(1000, 4000)]
    assert "comma between thousands" in read(tmp_path, "\n".join(["a", *prices]) + "\n")[1]
    assert read(tmp_path, "\n".join(["a", *prices, "none"]) + "\n")[1] == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "A|B|\n1|2|\n",
            "x.csv:1: the header ends with 1 bar, so 1 column of 3 has no name; remove the bar at the end of each line",
        ),
        ("A|B\n1|2|\n", "the line ends with a bar, and the header does not; remove the bar at the end of each line"),
        ("a,b,,\n1,2,,\n", "the header ends with 2 commas, so 2 columns of 4 have no name"),
        ('a,b\n1, "x, y"\n', "a blank stands before a quote, which then quotes nothing"),
        ("# by plant 7\nid,weight\n1,2\n", 'the header is "# by plant 7"; if the names are on a later line'),
        ("1,1,2\n3,4,5\n", "csv: {header: false}"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[\n{"a": 1},\n{"a": 2}\n]\n', "jq -c '.[]'"),
        ('{\n "a": 1\n}\n', "jq -c ."),
        ('{"a": 1},\n{"a": 2}\n', "remove it at the source"),
    ],
)
def test_json_over_several_lines_says_how_to_convert_it(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, "x.json")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"id": {"0": 1, "1": 2}, "v": {"0": 5, "1": 6}}', "2 keys have 2 values each"),
        ('{"type": "FeatureCollection", "features": [{"a": 1}, {"a": 2}]}', "array of 2 objects"),
    ],
)
def test_a_table_in_one_object_is_remarked_on(tmp_path: Path, content: str, said: str) -> None:
    assert said in read(tmp_path, content, "x.json")[1]


def test_a_pointer_of_git_lfs_is_told(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    for name in ("x.csv", "x.parquet", "x.jsonl"):
        with pytest.raises(DataError, match="git lfs pull"):
            read(tmp_path, pointer, name)


def test_folders_named_as_hive_does_are_remarked_on(tmp_path: Path) -> None:
    for country in ("DE", "FR"):
        (tmp_path / f"country={country}").mkdir()
        (tmp_path / f"country={country}" / "x.csv").write_text("a\n1\n")
    with open_data(tmp_path / "country=*" / "x.csv") as table:
        assert 'so there is no "country"' in table.notes[-1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["delimeter=;"], 'did you mean "delimiter"'),
        (["delimiter"], "expected KEY=VALUE"),
        (["delimiter=ab"], "--csv delimiter: allowed: one ASCII character"),
        (["encoding=utf-9"], "--csv encoding: allowed: the name of an encoding"),
        (["decimal=,", "thousands=,"], "decimal and thousands are both ,"),
        (["skip=-1"], "--csv skip"),
        (["header=perhaps"], "--csv header"),
    ],
)
def test_options_that_cannot_be_are_refused(given: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        csv_options(given)
    assert said in str(caught.value)


def test_options_of_a_command_are_those_of_a_file() -> None:
    assert csv_options(["delimiter=tab", "skip=2", "header=false", "null=-", "null=?"]) == CsvOptions(
        delimiter="\t", skip=2, header=False, null=("-", "?")
    )
