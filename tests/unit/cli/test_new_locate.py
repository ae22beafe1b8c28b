"""`taxiway new --from`: the pattern of a folder's files, whatever form their names have."""

from pathlib import Path

import pytest

from taxiway.cli.new.locate import span_pattern
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, TaxiwayError


def laid(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("names", "pattern", "spans"),
    [
        (("2024-01.parquet", "2024-02.parquet"), "{YYYY}-{MM}.parquet", ["2024-01", "2024-02"]),
        (("2024-01.csv.gz", "2024-02.csv.gz", ".hidden", "_SUCCESS"), "{YYYY}-{MM}.csv.gz", ["2024-01", "2024-02"]),
        (("yellow_2024-01.pq", "yellow_2024-02.pq"), "yellow_{YYYY}-{MM}.pq", ["2024-01", "2024-02"]),
        (("20240131.jsonl", "20240201.jsonl"), "{YYYY}{MM}{DD}.jsonl", ["2024-01-31", "2024-02-01"]),
        (("202401.json.gz", "202402.json.gz"), "{YYYY}{MM}.json.gz", ["2024-01", "2024-02"]),
        (("2015-Q1.csv", "2015-Q4.csv"), "{YYYY}-Q{Q}.csv", ["2015-Q1", "2015-Q4"]),
        (("2015-W07.csv", "2015-W53.csv"), "{YYYY}-W{WW}.csv", ["2015-W07", "2015-W53"]),
        (("2024-01-01T05.csv", "2024-01-01T06.csv"), "{YYYY}-{MM}-{DD}T{HH}.csv", ["2024-01-01T05", "2024-01-01T06"]),
        (("2023.csv", "2024.csv"), "{YYYY}.csv", ["2023", "2024"]),
        (("7.tsv", "10.tsv"), "{SPAN}.tsv", ["7", "10"]),
        (("chunk-1.csv", "chunk-2.csv"), "chunk-{SPAN}.csv", ["1", "2"]),
        (("2024-01/a.csv", "2024-01/b.csv", "2024-02/a.csv"), "{YYYY}-{MM}/*.csv", ["2024-01", "2024-02"]),
        (("2024-01/part-0.csv", "2024-02/part-0.csv"), "{YYYY}-{MM}/*.csv", ["2024-01", "2024-02"]),
        (("2024-01/all.csv", "2024-02/all.csv"), "{YYYY}-{MM}/all.csv", ["2024-01", "2024-02"]),
        (("2023/2023-12.csv", "2024/2024-01.csv"), "{YYYY}/{YYYY}-{MM}.csv", ["2023-12", "2024-01"]),
        (("2024/01/31/x.csv", "2024/02/01/y.csv"), "{YYYY}/{MM}/{DD}/*.csv", ["2024-01-31", "2024-02-01"]),
        (("year=2024/month=01/a.csv", "year=2024/month=02/a.csv"), "year={YYYY}/month={MM}/a.csv", ["2024-01", "2024-02"]),
        (("part-00000-ab12.parquet", "part-00001-cd34.parquet"), "*.parquet", ["1"]),
        (("part-0.csv", "part-1.csv", "_tmp.csv", "._part-0.csv"), "*.csv", ["1"]),
        (("titanic.csv",), "titanic.csv", ["1"]),
    ],
)
def test_a_folder_is_a_pattern(tmp_path: Path, names: tuple[str, ...], pattern: str, spans: list[str]) -> None:
    folder = laid(tmp_path / "here 2020-12", names)
    found = span_pattern(str(folder))
    assert found == f"{folder}/{pattern}"
    assert [span.name for span in find_spans(found)] == spans
    assert span_pattern(f"file://{folder}") == f"file://{folder}/{pattern}"


def test_a_glob_of_months_is_a_pattern_and_a_file_is_itself(tmp_path: Path) -> None:
    laid(tmp_path, ("2024-01.csv", "2024-02.csv", "2023-01.csv", "notes.csv"))
    assert span_pattern(f"{tmp_path}/2024-*.csv") == f"{tmp_path}/{{YYYY}}-{{MM}}.csv"
    assert span_pattern(f"{tmp_path}/2024-01.csv") == f"{tmp_path}/2024-01.csv"
    assert span_pattern(f"{tmp_path}/{{SPAN}}.csv") == f"{tmp_path}/{{SPAN}}.csv"


def test_a_glob_leaves_hidden_files_out_unless_it_names_them(tmp_path: Path) -> None:
    laid(tmp_path, ("part-0.csv", "part-1.csv", "_tmp.csv", "._part-0.csv"))
    assert span_pattern(f"{tmp_path}/*.csv") == f"{tmp_path}/*.csv"
    assert span_pattern(f"{tmp_path}/_*.csv") == f"{tmp_path}/_tmp.csv"


def test_the_format_may_be_said(tmp_path: Path) -> None:
    laid(tmp_path, ("2024-01.txt", "2024-02.txt"))
    assert span_pattern(str(tmp_path), "csv") == f"{tmp_path}/{{YYYY}}-{{MM}}.txt"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "is a folder without files; allowed: a folder with files of .parquet, .pq, .csv"),
        (("a.txt",), "is a folder with the files a.txt; allowed: .*--format csv"),
        (("a.csv", "b.parquet"), r"is a folder with files of .csv, .parquet; give a pattern .*/\*.csv"),
        (
            ("train.csv", "test.csv"),
            "has 2 files whose names do not show their spans: test.csv, train.csv; allowed: names with",
        ),
        (("2024-13.csv", "2024-14.csv", "x.csv"), "has 3 files whose names do not show their spans"),
    ],
)
def test_a_folder_that_has_no_spans_is_refused_with_what_is_there(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    with pytest.raises(ConfigError, match=said):
        span_pattern(str(laid(folder, names)))


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1/x.csv", "nosuch://x.csv", "http://127.0.0.1:1/x.csv"])
def test_an_address_that_does_not_answer_is_a_message(url: str) -> None:
    with pytest.raises(TaxiwayError, match=r"127\.0\.0\.1:1/x\.csv|Protocol not known"):
        span_pattern(url)
