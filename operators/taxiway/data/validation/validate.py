"""Data validation: rows against their schema, their own past, serving data and the team's suite, and the verdict on them.

The checks are in modules of their own; this is the order in which they are made.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.formats.open_data import files_of, open_data
from taxiway.data.ingest.join import check_joins
from taxiway.data.profiling.history import Past
from taxiway.data.profiling.merge import merged, profile_parts
from taxiway.data.profiling.profile import Profile
from taxiway.data.profiling.profiler import profile_beside
from taxiway.data.schema.file import load_schema
from taxiway.data.schema.model import TRAINING, Schema
from taxiway.data.validation.checks.columns import check_span
from taxiway.data.validation.checks.drift import check_drift, check_skew
from taxiway.data.validation.checks.feature_skew import check_row_skew
from taxiway.data.validation.checks.keys import check_keys
from taxiway.data.validation.checks.lifecycle import check_stages
from taxiway.data.validation.checks.metric_history import check_history
from taxiway.data.validation.checks.rules import check_rules
from taxiway.data.validation.expectations.suite import check_suite
from taxiway.data.validation.results import CheckedSpan, Findings
from taxiway.errors import ConfigError, allowed_values
from taxiway.records import DataReport, Snapshot, Span, span_label, span_order
from taxiway.store.store import Store


@dataclass(frozen=True)
class Examined:
    """What was found in data, and the statistics that it was found by."""

    report: DataReport
    profile: Profile
    previous: Profile | None = None
    serving: Profile | None = None


def validate(
    data: Path | str,
    schema: Schema | Path | str,
    *,
    previous: Path | str | None = None,
    serving: Path | str | None = None,
    environment: str = TRAINING,
    suite: Path | None = None,
    today: date | None = None,
) -> DataReport:
    """Check data of `environment` against `schema`, or the schema in a file of that path.

    The data are a file, all files that a pattern matches as one table, or a URL. `previous` are earlier data, for drift, and for
    history each file a span by the order of their names; `serving` are serving data, for skew; `suite` is a Great Expectations file.
    The report is FAIL if any anomaly of severity error has no waiver that is valid on `today`, without which it is the day of the
    call.

    Raises DataError where data cannot be read or have no rows, ConfigError where the environment, the suite or a rule cannot be
    obeyed.
    """
    if not isinstance(schema, Schema):
        schema = load_schema(schema)
    return examine(data, schema, previous=previous, serving=serving, environment=environment, suite=suite, today=today).report


def examine(
    data: Path | str,
    schema: Schema,
    *,
    previous: Path | str | None = None,
    serving: Path | str | None = None,
    environment: str = TRAINING,
    suite: Path | None = None,
    suite_docs: Path | None = None,
    today: date | None = None,
) -> Examined:
    """As `validate`, with the statistics of all sides: what a page about the data shows.

    `suite_docs` is a file for the results of the suite as Great Expectations shows them.
    """
    if environment not in schema.environments:
        raise ConfigError(f'the environment is "{environment}"\n    {allowed_values(environment, schema.environments)}')
    findings = Findings()
    with ExitStack() as stack:
        table = stack.enter_context(open_data(data, schema.text_columns))
        profile = profile_beside(table, schema.label)
        past = [_profile_of(file, schema) for file in (files_of(previous) if previous is not None else ())]
        earlier = merged(past) if past else None
        served = stack.enter_context(open_data(serving, schema.text_columns)) if serving is not None else None
        live = profile_beside(served, schema.label) if served is not None else None
        span = CheckedSpan(Path(str(data)).name, profile, lambda: table)
        check_span(span, schema, findings, environment)
        check_rules(span, schema, findings)
        expected = [feature.expected_in(environment) for feature in schema.features if feature.name in schema.key]
        if schema.key and all(expected):
            check_keys([(span.name, table.paths)], schema.key, findings)
        if earlier is not None:
            check_drift(earlier, profile, span.name, schema, findings, others="the previous data")
            check_history(past, profile, span.name, schema, findings)
            if not any(feature.drift for feature in schema.features):
                findings.note("no feature of the schema has a drift limit: distances from the previous data were not judged")
        if live is not None and served is not None:
            check_skew(profile, live, schema, findings)
            check_row_skew(table, served, schema, findings)
            if schema.row_skew is None and not any(feature.skew for feature in schema.features):
                findings.note("the schema has no skew limit and no row_skew: serving data were compared with nothing")
        if suite is not None:
            check_suite(suite, span, findings, docs=suite_docs)
        report = findings.decide(table.digest, schema, today or datetime.now(UTC).date())
    return Examined(report, profile, earlier, live)


def _profile_of(file: str, schema: Schema) -> Profile:
    with open_data(file, schema.text_columns) as table:
        return profile_beside(table, schema.label)


def validate_snapshot(
    snapshot: Snapshot,
    schema: Schema,
    *,
    store: Store,
    today: date,
    suite: Path | None = None,
    used: Collection[str] = (),
    history: Past | None = None,
) -> DataReport:
    """Check every span of `snapshot` against `schema`, and the newest against the spans before it and the team's suite.

    Where a column splits the spans, each is looked at as a whole, the rows to train on and those to evaluate on together: what is
    expected of data does not hang on how they are used. Where no span is before the newest, it is compared with the last one in
    `history`. Findings are collected first and decided once: the report is FAIL if any anomaly of severity error has no waiver that
    is valid on `today`. `suite` is a Great Expectations file, `used` are the columns that the pipeline's model takes, `history` the
    profiles of earlier spans, see `past`. The earlier spans are not compared with each other.

    Raises DataError if a span cannot be read, ConfigError if the suite or a rule cannot be obeyed.
    """
    findings = Findings()
    newest = snapshot.decided.label
    check_stages(schema, used, snapshot.pipeline, newest, findings)
    check_joins(snapshot, findings)
    profiles = [profile_parts(parts, store, schema.label) for parts in snapshot.wholes]
    for parts, profile in zip(snapshot.wholes, profiles, strict=True):
        with opened_span(parts, profile, store) as checked:
            check_span(checked, schema, findings)
            check_rules(checked, schema, findings)
            if suite is not None and checked.name == newest:
                check_suite(suite, checked, findings)
    if schema.key:
        with ExitStack() as stack:
            files = [
                (whole_label(parts), [stack.enter_context(store.local_file(part.content)) for part in parts])
                for parts in snapshot.wholes
            ]
            check_keys(files, schema.key, findings)
    *earlier, last = profiles
    if earlier:
        others = "the training spans" if snapshot.split is None else "the spans before it"
        check_drift(merged(earlier), last, newest, schema, findings, others=others)
    orders = [span_order(parts[0].name) for parts in snapshot.wholes]
    before = dict(sorted({**(history or {}), **dict(zip(orders[:-1], earlier, strict=True))}.items()))
    if before and not earlier:
        check_drift(list(before.values())[-1], last, newest, schema, findings, others="the span before it")
    check_history(list(before.values()), last, newest, schema, findings)
    if schema.row_skew is not None or any(feature.skew for feature in schema.features):
        findings.note("skew was not judged: a run has no serving data; taxiway validate --serving compares with them")
    return findings.decide(snapshot.digest, schema, today)


def whole_label(parts: Sequence[Span]) -> str:
    """How people name a span whose parts are given: `2013-04 v2`."""
    return span_label(parts[0].name, parts[0].version)


@contextmanager
def opened_span(parts: Sequence[Span], profile: Profile, store: Store) -> Iterator[CheckedSpan]:
    """A span, whose parts are given, as the checks see it; its rows are fetched where a check asks for them."""
    with ExitStack() as stack:

        @cache
        def table() -> Table:
            paths = [stack.enter_context(store.local_file(part.content)) for part in parts]
            return stack.enter_context(open_table(paths, f"span {whole_label(parts)}"))

        yield CheckedSpan(whole_label(parts), profile, table)
