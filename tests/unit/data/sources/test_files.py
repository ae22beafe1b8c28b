"""Finding spans: wrong patterns are refused, the newest version wins, order is the order of time."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from taxiway.data.sources.files import FileReader, find_spans, listing
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.spec.source import FileSource
from taxiway.spec.source.csv_options import CsvOptions
from taxiway.spec.source.selection import Split


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def found(pattern: str) -> list[tuple[str, int]]:
    return [(span.name, span.version) for span in find_spans(pattern)]


def test_months_come_oldest_first_and_other_files_are_left_alone(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "2013-10.parquet",
        "2013-09.parquet",
        "2012-12.parquet",
        "2013-11.beside",
        "notes-2013-12.parquet",
        "13-01.parquet",
    )
    spans = find_spans(f"{tmp_path}/{{YYYY}}-{{MM}}.parquet")
    assert [span.name for span in spans] == ["2012-12", "2013-09", "2013-10"]
    assert spans[0] == FoundSpan(
        "2012-12", 0, f"{tmp_path}/2012-12.parquet", datetime(2013, 1, 1, tzinfo=UTC), datetime(2012, 12, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("file", "pattern", "ends"),
    [
        ("2013.p", "{YYYY}.p", datetime(2014, 1, 1, tzinfo=UTC)),
        ("2013-04.p", "{YYYY}-{MM}.p", datetime(2013, 5, 1, tzinfo=UTC)),
        ("2012-02.p", "{YYYY}-{MM}.p", datetime(2012, 3, 1, tzinfo=UTC)),
        ("2013-12.p", "{YYYY}-{MM}.p", datetime(2014, 1, 1, tzinfo=UTC)),
        ("2012-02-29.p", "{YYYY}-{MM}-{DD}.p", datetime(2012, 3, 1, tzinfo=UTC)),
        ("2013.p", "{SPAN}.p", None),
    ],
)
def test_a_span_knows_when_its_period_ends(tmp_path: Path, file: str, pattern: str, ends: datetime | None) -> None:
    touch(tmp_path, file)
    assert [span.ends for span in find_spans(f"{tmp_path}/{pattern}")] == [ends]


@pytest.mark.parametrize(
    ("file", "pattern"), [("9999.p", "{YYYY}.p"), ("9999-12.p", "{YYYY}-{MM}.p"), ("2013-00.p", "{YYYY}-{MM}.p")]
)
def test_a_period_that_the_calendar_does_not_hold_is_refused(tmp_path: Path, file: str, pattern: str) -> None:
    touch(tmp_path, file)
    with pytest.raises(ConfigError, match="is not the name of a period"):
        find_spans(f"{tmp_path}/{pattern}")


def test_days_and_years_are_spans_too(tmp_path: Path) -> None:
    touch(tmp_path, "19700102.p", "y/2001.p", "y/1999.p")
    assert found(f"{tmp_path}/{{YYYY}}{{MM}}{{DD}}.p") == [("1970-01-02", 0)]
    assert found(f"{tmp_path}/y/{{YYYY}}.p") == [("1999", 0), ("2001", 0)]


def test_numbered_spans_are_ordered_as_numbers_not_as_text(tmp_path: Path) -> None:
    touch(tmp_path, "s-10.p", "s-9.p", "s-100.p")
    assert found(f"{tmp_path}/s-{{SPAN}}.p") == [("9", 0), ("10", 0), ("100", 0)]


def test_widths_tell_adjacent_numbers_apart(tmp_path: Path) -> None:
    touch(tmp_path, "1234", "12345")
    assert found(f"{tmp_path}/{{SPAN:2}}{{VERSION:2}}") == [("12", 34)]


def test_only_the_newest_version_of_each_span_is_found(tmp_path: Path) -> None:
    touch(tmp_path, "2013-01/v2.p", "2013-01/v10.p", "2013-02/v1.p")
    spans = find_spans(f"{tmp_path}/{{YYYY}}-{{MM}}/v{{VERSION}}.p")
    assert [(s.name, s.version, Path(s.path).name) for s in spans] == [("2013-01", 10, "v10.p"), ("2013-02", 1, "v1.p")]


def test_a_date_part_repeated_in_the_path_has_to_be_the_same(tmp_path: Path) -> None:
    touch(tmp_path, "2013/2013-01.p", "2013/2012-12.p")
    assert found(f"{tmp_path}/{{YYYY}}/{{YYYY}}-{{MM}}.p") == [("2013-01", 0)]


def test_glob_and_regex_signs_in_a_folders_name_are_taken_literally(tmp_path: Path) -> None:
    odd = tmp_path / "a[b]*(c)+?."
    touch(odd, "2013-01.p")
    touch(tmp_path, "abX(c)+Y./2013-02.p")
    assert found(f"{odd}/{{YYYY}}-{{MM}}.p") == [("2013-01", 0)]


def test_any_fsspec_url_is_read_and_handed_on_as_a_url() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/spans-test/2013-01.p", b"x")
    try:
        (span,) = find_spans("memory://spans-test/{YYYY}-{MM}.p")
        assert fsspec.open(span.path).open().read() == b"x"
    finally:
        fs.rm("/spans-test", recursive=True)


def test_parts_of_a_period_are_one_span(tmp_path: Path) -> None:
    touch(tmp_path, "2013-Q1/b.p", "2013-Q1/a.p", "2013-Q2/a.p", "2013-Q2/a.notes")
    first, second = find_spans(f"{tmp_path}/{{YYYY}}-Q{{Q}}/*.p")
    assert (first.name, first.files) == ("2013-Q1", (f"{tmp_path}/2013-Q1/a.p", f"{tmp_path}/2013-Q1/b.p"))
    assert (second.name, second.files, second.path) == ("2013-Q2", (f"{tmp_path}/2013-Q2/a.p",), f"{tmp_path}/2013-Q2/a.p")
    assert (first.begins, first.ends) == (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC))


def test_a_file_without_placeholders_is_a_span_whose_version_is_the_time_of_its_change(tmp_path: Path) -> None:
    touch(tmp_path, "all.p", "other.p")
    os.utime(tmp_path / "all.p", (1364792707, 1364792707))
    (span,) = find_spans(f"{tmp_path}/all.p")
    assert (span.name, span.version // 10**5, span.ends) == ("1", 20130401050507, None)
    reader = FileReader(
        FileSource(spans=f"{tmp_path}/all.p", window=1, split=Split(by="id", evaluation=0.2), label="y", csv=CsvOptions())
    )
    before = reader.state(now=datetime.now(UTC))
    os.utime(tmp_path / "all.p", (1364792708, 1364792708))
    assert reader.state(now=datetime.now(UTC)) != before


def write_again(folder: Path) -> None:
    (folder / "b.p").write_bytes(b"xy")
    os.utime(folder / "b.p", (1364792707.25, 1364792707.25))


def add_older(folder: Path) -> None:
    touch(folder, "c.p")
    os.utime(folder / "c.p", (1e9, 1e9))


@pytest.mark.parametrize(
    ("change", "is_later"),
    [
        (lambda folder: (folder / "a.p").unlink(), None),
        (lambda folder: (folder / "b.p").unlink(), False),
        (lambda folder: os.utime(folder / "b.p", (1364792707.5, 1364792707.5)), None),
        (lambda folder: os.utime(folder / "a.p", (1364792800, 1364792800)), True),
        (add_older, None),
        (write_again, None),
    ],
    ids=["older part removed", "newest part removed", "same second", "later", "older part added", "other size"],
)
def test_any_change_of_the_parts_of_the_only_span_is_another_version(
    tmp_path: Path, change: Callable[[Path], object], is_later: bool | None
) -> None:
    touch(tmp_path, "a.p", "b.p", "_SUCCESS")
    os.utime(tmp_path / "a.p", (1.2e9, 1.2e9))
    os.utime(tmp_path / "b.p", (1364792707.25, 1364792707.25))
    reader = FileReader(FileSource(spans=f"{tmp_path}/*.p", window=1, split=Split(by="id", evaluation=0.2), label="y"))
    ((_, before),), state = found(f"{tmp_path}/*.p"), reader.state(now=datetime.now(UTC))
    touch(tmp_path, "_SUCCESS", "._a.p")
    assert (found(f"{tmp_path}/*.p"), reader.state(now=datetime.now(UTC))) == ([("1", before)], state)
    change(tmp_path)
    ((_, after),) = found(f"{tmp_path}/*.p")
    assert after != before
    assert reader.state(now=datetime.now(UTC)) != state
    assert is_later is None or (after > before) == is_later


def test_the_time_of_change_is_also_asked_for_one_by_one() -> None:
    fs = fsspec.filesystem("memory")  # its listings have no times
    fs.pipe_file("/changed-test/all.p", b"x")
    try:
        before = found("memory://changed-test/*.p")
        fs.pipe_file("/changed-test/all.p", b"xy")
        assert found("memory://changed-test/*.p") != before
    finally:
        fs.rm("/changed-test", recursive=True)


@pytest.mark.parametrize("pattern", ["{YYYY}/*.csv", "{YYYY}/*-0.csv", "{YYYY}/*"])
def test_hidden_files_are_no_parts(tmp_path: Path, pattern: str) -> None:
    touch(tmp_path, "2013/part-0.csv", "2013/._part-0.csv", "2013/.hidden-0.csv", "2013/_tmp-0.csv")
    (span,) = find_spans(f"{tmp_path}/{pattern}")
    assert span.files == (f"{tmp_path}/2013/part-0.csv",)
    assert listing(f"{tmp_path}/{pattern}") == span.files


def test_a_pattern_may_name_hidden_files(tmp_path: Path) -> None:
    touch(tmp_path, "_a.csv", "_b.csv", "c.csv")
    (span,) = find_spans(f"{tmp_path}/_*.csv")
    assert span.files == listing(f"{tmp_path}/_*.csv") == (f"{tmp_path}/_a.csv", f"{tmp_path}/_b.csv")


def test_a_version_with_only_some_parts_of_the_one_before_is_refused(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/{{YYYY}}-{{MM}}_v{{VERSION}}_*.p"
    touch(tmp_path, "2013-01_v1_a.p", "2013-01_v1_b.p", "2013-01_v2_a.p")
    with pytest.raises(
        ConfigError,
        match=r"version 2 of span 2013-01 has 1 of the 2 parts of version 1, and lacks .*2013-01_v1_b\.p; .*write the other parts",
    ):
        find_spans(pattern)
    touch(tmp_path, "2013-01_v2_b.p")
    (span,) = find_spans(pattern)
    assert (span.version, [Path(file).name for file in span.files]) == (2, ["2013-01_v2_a.p", "2013-01_v2_b.p"])
    touch(tmp_path, "2013-01_v3_whole.p")
    assert found(pattern) == [("2013-01", 3)]


def test_the_highest_version_of_one_file_is_found(tmp_path: Path) -> None:
    touch(tmp_path, "all-v2.p", "all-v10.p")
    assert found(f"{tmp_path}/all-v{{VERSION}}.p") == [("1", 10)]


def test_nothing_arrived_yet_is_no_error(tmp_path: Path) -> None:
    assert find_spans(f"{tmp_path}/nowhere/{{YYYY}}-{{MM}}.parquet") == ()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{SPAN}/{SPAN}.p", "{SPAN} occurs 2 times"),
        ("{SPAN}-{YYYY}.p", "it has both"),
        ("*{SPAN}.p", "it is ambiguous where * ends and {SPAN} begins"),
        ("{SPAN}/**", "folders of any depth are not searched"),
        ("{YYYY}-{HH}.p", "{HH} needs {DD}"),
        ("{YYYY}-{MM}-{Q}.p", "one of {Q}, {MM} and {WW}"),
        ("{SPAN:x}.p", "width 'x'"),
        ("{SPAN:0}.p", "width '0'"),
        ("{SPAN:}.p", "width ''"),
        ("{YYYY:4}.p", "write {YYYY}"),
        ("{MM}.p", "{MM} needs {YYYY}"),
        ("{YYYY}-{DD}.p", "{DD} needs {MM}"),
        ("{SPAN}{VERSION}.p", "give the number of digits"),
        ("{yyyy}-{MM}.p", 'did you mean "YYYY"'),
        ("{data}/{YYYY}.p", "{data} is not a placeholder"),
    ],
)
def test_a_wrong_pattern_is_refused_with_what_is_allowed(pattern: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        find_spans(f"{tmp_path}/{pattern}")
    assert said in str(refused.value)


def test_a_file_name_that_is_no_date_is_refused_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "20201301.p")
    with pytest.raises(ConfigError, match=r'20201301\.p .*"2020-13-01" is not the name of a period of one day: month must be'):
        find_spans(f"{tmp_path}/{{YYYY}}{{MM}}{{DD}}.p")


def test_two_files_of_one_span_and_version_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "7.p", "007.p")
    with pytest.raises(ConfigError, match="both version 0 of span 7"):
        find_spans(f"{tmp_path}/{{SPAN}}.p")


def test_a_folder_where_a_file_should_be_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "2013-01.parquet/part-0")
    with pytest.raises(ConfigError, match="is a folder"):
        find_spans(f"{tmp_path}/{{YYYY}}-{{MM}}.parquet")
