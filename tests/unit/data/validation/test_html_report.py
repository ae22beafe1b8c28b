"""The page about data: one file, nothing from a network, everything escaped, what is wrong first."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.data.profiling.compute import profile
from taxiway.data.schema.constraints import Drift, Range
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.html_report import bars, page_of, value_text
from taxiway.data.validation.validate import validate_with_profiles

HOSTILE = "<script>alert('x')</script>\"'&"
SCHEMA = Schema(
    label="late",
    features=(
        Feature(name="calm", type="number"),
        Feature(name="moved", type="number", drift=Drift(limit=0.1)),
        Feature(name=HOSTILE, type="string", domain=("a",), description=HOSTILE),
        Feature(name="wild", type="number", range=Range(min=-3, max=3), unit="m"),
        Feature(name="when", type="datetime"),
        Feature(name="empty", type="string", presence=0),
        Feature(name="late", type="boolean"),
    ),
)


def table(folder: Path, name: str, shift: float, word: str) -> Path:
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"calm": rng.normal(size=500), "moved": rng.normal(shift, 1, 500), HOSTILE: ["a", word] * 250})
    rows["wild"] = [0.0] * 499 + [99.0]
    rows["when"] = pd.date_range("2020-01-01", periods=500)
    rows["empty"] = pd.Series([None] * 500, dtype="str")
    rows["late"] = [True, False] * 250
    rows.to_parquet(folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


@pytest.fixture
def page(tmp_path: Path) -> str:
    found = validate_with_profiles(
        table(tmp_path, "now", 2.0, HOSTILE), SCHEMA, previous=table(tmp_path, "before", 0.0, "a"), today=date(2026, 1, 1)
    )
    return page_of(
        HOSTILE, found.profile, report=found.report, schema=SCHEMA, reference=found.previous, reference_name=HOSTILE,
        made=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    assert re.findall(r"<script|<link|<img|<iframe|src=|@import|url\(|https?:", page) == []
    assert "&lt;script&gt;" in page


def test_what_is_wrong_comes_first_and_then_what_moved(page: str) -> None:
    names = re.findall(r"<h3>(.*?)</h3>", page)
    assert set(names[:3]) == {"moved", "wild", "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&#39;&amp;"}
    assert "FAIL" in page
    assert "is outside -3 to 3 m in 1 of 500 rows (0.2%), furthest at 99 (row 500)" in page


def test_bars_share_out_all_rows(tmp_path: Path) -> None:
    found = profile(table(tmp_path, "now", 0.0, "b"))
    for column in found.columns:
        shares = sum(bar.share for bar in bars(column))
        assert shares == pytest.approx(1.0 if column.present else 0.0, abs=0.011), column.name


def test_histograms_show_a_point_mass_and_a_tail(tmp_path: Path) -> None:
    pd.DataFrame({"x": [0.0] * 500 + list(np.linspace(1, 10, 490)) + [1e6] * 10}).to_parquet(tmp_path / "x.parquet")
    (column,) = profile(tmp_path / "x.parquet").columns
    drawn = bars(column)
    assert drawn[0].share == pytest.approx(0.5, abs=0.02)
    assert sum(bar.share for bar in drawn) == pytest.approx(1, abs=0.011)


def test_numbers_are_written_as_people_do() -> None:
    assert [value_text(number) for number in (None, 3.0, 1234567.0, 0.000123456, 12345.678, 1.5e9 + 0.5)] == [
        "-", "3", "1,234,567", "0.0001235", "12,346", "1.5e+09",
    ]  # fmt: skip
    assert value_text(86400.0 * 366, "date") == "1971-01-02"


def test_the_page_of_a_profile_alone_is_written_by_the_command(tmp_path: Path) -> None:
    data = table(tmp_path, "now", 0.0, "b")
    done = CliRunner().invoke(main, ["profile", str(data), "--label", "late", "-o", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert "<h3>calm</h3>" in (tmp_path / "page.html").read_text()
    assert CliRunner().invoke(main, ["profile", str(data), "-o", str(tmp_path / "page.pdf")]).exit_code == 2
    assert CliRunner().invoke(main, ["profile", str(data), "-o", str(tmp_path / "no" / "page.html")]).exit_code == 2
