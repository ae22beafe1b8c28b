"""Validation of a snapshot, span by span."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from taxiway.data.formats.convert import ReadOptions
from taxiway.data.profiling.merge import merge_profiles, profile_whole_span
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import Schema
from taxiway.data.validation.all_checks import check_all
from taxiway.data.validation.inputs import Baseline, CheckInput, CheckTarget
from taxiway.data.validation.profile_history import ProfileHistory
from taxiway.data.validation.targets import open_checked_data, open_checked_span
from taxiway.records import DataReport, Snapshot, span_order
from taxiway.store.store import Store


def validate_snapshot(
    snapshot: Snapshot,
    schema: Schema,
    *,
    store: Store,
    today: date,
    suite: Path | None = None,
    used_features: Collection[str] = (),
    history: ProfileHistory | None = None,
    requests: Path | None = None,
) -> DataReport:
    """Check every span of a snapshot against its schema, and the newest span also against earlier spans and the suite.

    If the spans are split by a column, the training and the evaluation rows of a span are checked together. If the snapshot has only
    one span, it is compared with the last one in `history`.

    Args:
        snapshot: The snapshot.
        schema: Its schema.
        store: Where its rows are.
        today: The day on which waivers must be valid.
        suite: The file of a Great Expectations suite.
        used_features: The columns of the pipeline's model.
        history: The profiles of earlier spans; see `profile_history`.
        requests: A file with the inputs of logged requests, for skew; None for no comparison.

    Returns:
        The report: FAIL if an anomaly of severity error has no valid waiver, else PASS.

    Raises:
        DataError: A span cannot be read.
        ConfigError: The suite or a rule is not valid.
    """
    profiles = [profile_whole_span(parts, store, schema.label) for parts in snapshot.spans_by_name]
    earlier = dict(history or {})
    for parts, profile in zip(snapshot.spans_by_name[:-1], profiles[:-1], strict=True):
        earlier[span_order(parts[0].name)] = profile
    earlier_profiles = [earlier[order] for order in sorted(earlier)]
    with ExitStack() as stack:
        check_input = CheckInput(
            schema,
            tuple(
                stack.enter_context(open_checked_span(parts, profile, store))
                for parts, profile in zip(snapshot.spans_by_name, profiles, strict=True)
            ),
            pipeline=snapshot.pipeline,
            used_features=used_features,
            joins=snapshot.joins,
            earlier=tuple(earlier_profiles),
            baseline=_baseline(snapshot, profiles[:-1], earlier_profiles),
            requests=_open_requests(stack, requests, schema) if requests is not None else None,
            suite=suite,
        )
        results = check_all(check_input)
        for removed in snapshot.removed:
            if removed.filtered or removed.unlabelled:
                results.add_note(f"{removed.describe()}; the checks are about the other rows.")
        return results.decide(snapshot.digest, schema, today)


def _baseline(snapshot: Snapshot, in_snapshot: Sequence[Profile], earlier: Sequence[Profile]) -> Baseline | None:
    """The snapshot's spans before the newest; if there are none, the last span that an earlier run recorded."""
    if in_snapshot:
        return Baseline(merge_profiles(in_snapshot), "the training spans" if snapshot.split is None else "the spans before it")
    return Baseline(earlier[-1], "the span before it") if earlier else None


def _open_requests(stack: ExitStack, requests: Path, schema: Schema) -> CheckTarget:
    return open_checked_data(stack, "the requests", requests, schema, ReadOptions(types=schema.types))
