"""Data validation: a snapshot against its schema, its own past and the team's suite, and the verdict on it.

The checks are in `checks`, `keys`, `drift` and `suite`; this is the order in which they are made.
"""

from contextlib import ExitStack
from datetime import date
from functools import cache
from pathlib import Path

from taxiway.data.checks import check_span
from taxiway.data.drift import check_drift
from taxiway.data.features import Schema
from taxiway.data.findings import Findings
from taxiway.data.keys import check_keys
from taxiway.data.merge import merged
from taxiway.data.profile import Profile, profile_span
from taxiway.data.suite import check_suite
from taxiway.data.table import Table, open_table
from taxiway.data.value_checks import CheckedSpan
from taxiway.records import DataReport, Snapshot, Span
from taxiway.store.store import Store


def validate(snapshot: Snapshot, schema: Schema, *, store: Store, today: date, suite: Path | None = None) -> DataReport:
    """Check every span of `snapshot` against `schema`, and the newest against the training spans and the team's suite.

    Findings are collected first and decided once: the report is FAIL if any anomaly of severity error has no waiver that
    is valid on `today`. `suite` is a Great Expectations file. The training spans are not compared with each other.

    Raises BadData if a span cannot be read, ConfigError if the suite cannot be obeyed.
    """
    findings = Findings()
    profiles = [profile_span(span, store) for span in snapshot.spans]
    for span, profile in zip(snapshot.spans, profiles, strict=True):
        _check_one(span, profile, schema, store, findings)
    if schema.key:
        check_keys(snapshot.spans, schema.key, store, findings)
    training = merged(profiles[: len(snapshot.training)])
    check_drift(training, profiles[-1], snapshot.newest.label, schema, findings)
    if suite is not None:
        check_suite(suite, snapshot.newest, store, findings)
    return findings.decide(snapshot.digest, schema, today)


def _check_one(span: Span, profile: Profile, schema: Schema, store: Store, findings: Findings) -> None:
    with ExitStack() as stack:

        @cache
        def table() -> Table:
            path = stack.enter_context(store.local_file(span.content))
            return stack.enter_context(open_table(path, f"span {span.label}"))

        check_span(CheckedSpan(span.label, profile, table), schema, findings)
