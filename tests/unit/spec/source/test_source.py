"""The section `source`: what is right is read as it is meant, what is wrong is said with line and remedy."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from minimal import REST, SOURCE

from taxiway.errors import ConfigError
from taxiway.records import SplitRule
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.source import Source, read_source, source_from_json
from taxiway.spec.source.selection import FixedWindow, Split

JOIN = """\
  join:
    weather:
      spans: "{data}/weather/{YYYY}-{MM}.parquet"
      on: {origin: station}
      as_of: {time_hour: observed_at}
      within: 3h
      recode: {origin: {EWR: "72502"}}
      recode_right: {station: [text, {pad: 5}]}
      columns: [temp, wind_speed]
      prefix: weather_
      min_match_rate: 0.95"""


def read(folder: Path, source: str) -> Source:
    (folder / "late.schema.yaml").write_text("features: {}")
    path = folder / "late.pipeline.yaml"
    path.write_text(SOURCE + (f"{source}\n" if source else "") + REST)
    return read_pipeline(path).source


def test_a_join_is_read_as_it_is_written_although_yaml_takes_on_for_true(tmp_path: Path) -> None:
    (join,) = read(tmp_path, JOIN).join.values()
    assert join.on == {"origin": "station"}
    assert (join.as_of, join.within, join.min_match_rate) == ({"time_hour": "observed_at"}, timedelta(hours=3), 0.95)
    assert join.joined_columns == {"temp": "weather_temp", "wind_speed": "weather_wind_speed"}
    assert (join.recode, join.recode_right) == ({"origin": ({"values": {"EWR": "72502"}},)}, {"station": ("text", {"pad": 5})})


def test_names_of_spans_are_text_whatever_yaml_makes_of_them(tmp_path: Path) -> None:
    source = read(tmp_path, "  window: {from: 2013-01, to: 2013-06}\n  exclude: [2013-04]")
    assert source.window == FixedWindow.model_validate({"from": "2013-01", "to": "2013-06"})
    assert source.exclude == ("2013-04",)
    days = read_source({"spans": "/{YYYY}-{MM}-{DD}", "label": "y", "exclude": [date(2013, 4, 1)]})
    assert days.exclude == ("2013-04-01",)
    assert read_source({"spans": "/{SPAN}", "label": "y", "exclude": [7]}).exclude == ("7",)


def test_a_source_comes_back_from_its_own_json(tmp_path: Path) -> None:
    for text in (
        "",
        JOIN,
        "  split: {by: id, evaluation: 0.2}\n  window: {from: 2013-01, to: 2013-06}",
        "  exclude: [2013-04]",
    ):
        source = read(tmp_path, text)
        assert source_from_json(source.model_dump_json(by_alias=True, exclude_defaults=True)) == source


def test_a_split_by_a_column_needs_no_span_to_hold_out(tmp_path: Path) -> None:
    assert read(tmp_path, "").holds_out_newest
    source = read(tmp_path, "  split: {by: customer, evaluation: 0.2}")
    assert (source.split, source.holds_out_newest) == (Split(by="customer", evaluation=0.2), False)


@pytest.mark.parametrize(
    ("keys", "described"),
    [
        ({}, "a random 12.5% of the rows"),
        ({"by": "customer"}, "12.5% of the values of customer"),
        ({"stratify": "late"}, "a random 12.5% of the rows for each value of late"),
        ({"by_time": "at"}, "the newest 12.5% of the rows by at"),
    ],
)
def test_a_split_is_recorded_with_its_keys_and_described(keys: dict[str, str], described: str) -> None:
    source = read_source({"spans": "/all.csv", "label": "y", "window": 1, "split": {"evaluation": 0.125, **keys}})
    assert isinstance(source.split, Split)
    assert source.split.rule == SplitRule(evaluation=0.125, **keys)
    assert source.split.rule.describe() == described
    assert source_from_json(source.model_dump_json(by_alias=True, exclude_defaults=True)) == source


def changed(old: str, new: str) -> str:
    assert old in JOIN
    return JOIN.replace(old, new)


@pytest.mark.parametrize(
    "case",
    [
        ("  window: {from: 2013-06, to: 2013-01}", ":6: source.window", "from is 2013-06 and to is 2013-01; allowed: from not after to"),
        ("  window: {from: 2013-06}", ":6: source.window", "to: Field required; allowed keys: from, to"),
        ("  window: {from: 2013-1, to: 2013-06}", ":3: source", 'window has the span "2013-1"', "such as 2013-04"),
        ("  window: 0", ":6: source.window is 0", "1 to 10,000, or {from: SPAN, to: SPAN}"),
        ("  exclude: [april]", 'exclude has the span "april"; allowed: names by the pattern {data}/{YYYY}-{MM}.parquet, such as 2013-04'),
        ("  sample: {fraction: 1, by: id}", ":6: source.sample.fraction is 1; allowed: less than 1"),
        ("  sample: {fraction: 0.1}", "source.sample.by is missing"),
        ("  sample: {fraction: 0.1, by: id, strat: late}", "source.sample.strat is not an allowed key", 'did you mean "stratify"?'),
        ("  split: random", ":6: source.split is", "allowed: newest, or {evaluation: FRACTION}, to which by, stratify or by_time"),
        ("  split: {by: id, evaluation: 2}", ":6: source.split", "evaluation: Input should be less than 1; allowed keys: evaluation, by, stratify, by_time"),
        ("  split: {by: id}", ":6: source.split", "evaluation: Field required"),
        ("  split: {by: id, stratify: late, evaluation: 0.2}", ":6: source.split", "the rows of one value of id may have several values of late"),
        ("  split: {by: id, by_time: at, evaluation: 0.2}", ":6: source.split: it has by and by_time; allowed: at most one of by, stratify and by_time"),
        ("  split: {stratify: late, by_time: at, evaluation: 0.2}", "it has stratify and by_time; allowed: at most one of by, stratify"),
        ("  split: {by_time: at, evaluation: 0.2}", ":3: source", "by_time: at, but window is not 1", "allowed: window: 1, or split: newest"),
        ("  window: {from: 2013-01, to: 2013-06}\n  split: {by_time: at, evaluation: 0.2}", "by_time: at, but window is not 1"),
        (changed("min_match_rate", "min_mach"), ":16: source.join.weather.min_mach is not an allowed key", 'did you mean "min_match_rate"?'),
        (changed("min_match_rate: 0.95", "min_match_rate: 95"), ":16: source.join.weather.min_match_rate is 95; allowed: less than or equal"),
        (changed("      on: {origin: station}\n", ""), "source.join.weather.on is missing"),
        (changed("columns: [temp, wind_speed]", "columns: [temp, temp]"), "columns has temp more than once"),
        (changed("      as_of: {time_hour: observed_at}\n", ""), "within needs as_of"),
        (changed("prefix: weather_", "file: planes.parquet"), "exactly one of spans (one table for each span) and file"),
        (changed("weather/{YYYY}-{MM}", "weather/{YYYY}"), "but the spans are those of {data}/{YYYY}-{MM}.parquet"),
        (changed("weather/{YYYY}-{MM}", "weather/{YYYY}-{MM}-{DD}"), "or file: one table for all spans"),
        (changed("recode: {origin:", "recode: {orgin:"), "recode has the column orgin; allowed: the columns in on: origin"),
        (changed('EWR: "72502"', "EWR: 72502"), ":12: source.join.weather.recode.origin", "YAML reads one of the values as 72502", "put it in quotes"),
        (changed('EWR: "72502"', 'NO: "47"'), "YAML reads one of the values as False"),
        (changed("{pad: 5}", "{pad: five}"), "{'pad': 'five'} is not a step; allowed: text, strip, upper, lower, {pad: DIGITS}"),
        (changed("  join:\n    weather:", "  join:\n    Weather:"), "source.join.Weather", "lower-case letters"),
        (
            JOIN + changed("    weather:", "    again:").removeprefix("  join:"),
            "join.again and join.weather both add a column weather_temp; add a prefix",
        ),
    ],
    ids=range(30),
)  # fmt: skip
def test_a_mistake_names_its_line_and_the_remedy(tmp_path: Path, case: tuple[str, ...]) -> None:
    source, *expected = case
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, source)
    for part in expected:
        assert part in str(caught.value), str(caught.value)
