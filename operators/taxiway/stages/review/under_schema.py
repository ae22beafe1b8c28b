"""What the present schema and the suite find in the stored rows of a champion: the only expensive part of a review.

`python -m taxiway.stages.review.under_schema` does it in a process of its own, for whoever must not spend its memory on it.
"""

import json
import os
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from taxiway.messages import counted
from taxiway.records import Anomaly, DataReport, FeatureSet, Severity, Snapshot, Verdict
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import schema_of
from taxiway.store import Store
from taxiway.tracking import tags

_SHOWN_ANOMALIES = 3
_NICENESS = 10


def needs_validation(pipeline: Pipeline, report: DataReport) -> bool:
    """Whether the schema of a pipeline has changed since a report, or there is a suite, whose changes nobody records."""
    return schema_of(pipeline).digest != report.schema_version or pipeline.suite is not None


def new_anomalies(
    pipeline: Pipeline, store: Store, today: date, snapshot: Snapshot, report: DataReport, features: str | None
) -> tuple[Anomaly, ...]:
    """The blocking anomalies in the stored rows of a snapshot that were not known when the report on it was made.

    Args:
        pipeline: The pipeline, with the present schema and suite.
        store: The store with the rows.
        today: The day on which waivers of the schema must be valid.
        snapshot: The snapshot.
        report: The report on it.
        features: The digest of the features of the version, which may use other columns than the present pipeline file; None if they are
            not known.
    """
    from taxiway.stages.validate_data import report_under

    columns = store.get(FeatureSet, features).columns if features else None
    known = {(a.kind, a.column, a.span) for a in report.anomalies if a.severity is Severity.ERROR}
    found = report_under(pipeline, store, today, snapshot, columns).blocking
    return tuple(anomaly for anomaly in found if (anomaly.kind, anomaly.column, anomaly.span) not in known)


def anomalies_message(messages: tuple[str, ...]) -> str:
    """`the present schema finds 2 blocking anomalies in its data: ...`, with the first ones in full."""
    shown = " ".join(messages[:_SHOWN_ANOMALIES])
    more = f" And {len(messages) - _SHOWN_ANOMALIES} more." if len(messages) > _SHOWN_ANOMALIES else ""
    found = counted(len(messages), "blocking anomaly", "blocking anomalies")
    return f"the present schema finds {found} in its data: {shown}{more}"


def request_text(pipeline_file: Path, store: Store, today: date, verdict: Verdict, features: str | None) -> str:
    """What the process reads from its standard input."""
    asked = {
        "pipeline_file": str(pipeline_file),
        "store": store.url,
        "today": today.isoformat(),
        "snapshot": verdict.snapshot,
        "report": verdict.report,
        "features": features,
    }
    return json.dumps(asked)


def feature_digest(version_tags: Mapping[str, str]) -> str | None:
    """The digest of the features of a model version, by its tags in the registry; None if they are not known."""
    return version_tags.get(tags.FEATURES)


def _main() -> None:
    os.nice(_NICENESS)
    asked = json.load(sys.stdin)
    store, out = Store(asked["store"]), sys.stdout
    sys.stdout = sys.stderr  # libraries print, and the answer is one line of JSON
    found = new_anomalies(
        read_pipeline(Path(asked["pipeline_file"])),
        store,
        date.fromisoformat(asked["today"]),
        store.get(Snapshot, asked["snapshot"]),
        store.get(DataReport, asked["report"]),
        asked["features"],
    )
    out.write(json.dumps([anomaly.message for anomaly in found]))


if __name__ == "__main__":
    _main()
