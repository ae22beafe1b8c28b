"""Reviews of verdicts for the pages: in the background, at most once a minute for a pipeline, and kept in memory.

A review reads the records of the versions in `versions_of`, which are no more for a long history than for a short one.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock
from time import monotonic

from taxiway.credentials import without_credentials
from taxiway.errors import TaxiwayError
from taxiway.messages import counted
from taxiway.records import DataReport, Snapshot, Verdict
from taxiway.stages.review import PipelineReview, Reopening, Review, ReviewedVersion, Standing, review_versions
from taxiway.stages.review.reopened import schema_reopening
from taxiway.stages.review.under_schema import feature_digest, needs_validation, request_text
from taxiway.stages.review.versions import most_urgent
from taxiway_ui.reviews.background import Background
from taxiway_ui.reviews.validations import Validations

FRESH_SECONDS = 60
"""How long a review is shown before it is done again."""
_MANY = 100
"""A page with more pipelines is content with older reviews."""
_WORKERS = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """What is reviewed of a pipeline.

    Attributes:
        name: The name of the pipeline.
        versions: Its versions with what they are today and the digest of their verdicts.
        open: Opens the review, in a thread.
        file: The path of the pipeline file; None if it is not known.
    """

    name: str
    versions: Mapping[int, tuple[Standing, str | None]]
    open: Callable[[], PipelineReview]
    file: Path | None = None

    def key(self, today: date) -> object:
        """What a review is only valid for."""
        return today, tuple(self.versions.items())


@dataclass(frozen=True)
class _Known:
    key: object
    at: float
    review: Review


@dataclass(frozen=True)
class Reviewed:
    """The reviews of some pipelines.

    Attributes:
        reopened: The versions whose verdicts are re-opened, the most urgent first.
        notes: What could not be looked at, by pipeline.
        pending: The pipelines whose review is not finished.
    """

    reopened: tuple[ReviewedVersion, ...] = ()
    notes: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def unfinished(self) -> str:
        """A message on the reviews that are not finished; empty if all are."""
        what = counted(len(self.pending), "pipeline")
        return f"The verdicts of {what} are being reviewed; open the page again." if self.pending else ""

    def of(self, version: int) -> ReviewedVersion | None:
        """The version, if its verdict is re-opened."""
        return next((found for found in self.reopened if found.version == version), None)


NOT_REVIEWED = Reviewed()


class Reviews:
    """The reviews of this process."""

    def __init__(self, validations: Validations | None = None) -> None:
        self._pool = Background(_WORKERS, "taxiway-review")
        self._validations = validations or Validations()
        self._known: dict[str, _Known] = {}
        self._running: dict[tuple[str, object], Future[None]] = {}
        self._forgotten: dict[str, float] = {}
        self._lock = Lock()

    def of(self, subjects: Iterable[Subject], patience_s: float) -> Reviewed:
        """The reviews of some pipelines.

        Args:
            subjects: The pipelines.
            patience_s: How long to wait for reviews that are not fresh; those that take longer are shown as they were, or are pending.
        """
        today, asked = datetime.now(UTC).date(), [subject for subject in subjects if subject.versions]
        fresh_s = FRESH_SECONDS * max(1.0, len(asked) / _MANY)
        stale = [subject for subject in asked if not self._is_fresh(subject, today, fresh_s)]
        wait([self._start(subject, today) for subject in stale], timeout=patience_s)
        found = {subject.name: self._find(subject, today) for subject in asked}
        done = [review for review in found.values() if review is not None]
        return Reviewed(
            most_urgent(version for review in done for version in review.reopened),
            tuple(dict.fromkeys(note for review in done for note in review.notes)),
            tuple(name for name, review in found.items() if review is None),
        )

    def forget(self, pipeline: str) -> None:
        """Review a pipeline again at the next request, because a person has decided about it."""
        with self._lock:
            self._forgotten[pipeline] = monotonic()  # a review that runs now may have looked before the decision
            self._known.pop(pipeline, None)
            for key in [key for key in self._running if key[0] == pipeline]:
                del self._running[key]

    def _is_fresh(self, subject: Subject, today: date, fresh_s: float) -> bool:
        known = self._known.get(subject.name)
        return known is not None and known.key == subject.key(today) and monotonic() - known.at < fresh_s

    def _find(self, subject: Subject, today: date) -> Review | None:
        known = self._known.get(subject.name)
        return known.review if known is not None and known.key == subject.key(today) else None

    def _start(self, subject: Subject, today: date) -> Future[None]:
        key = subject.name, subject.key(today)
        with self._lock:
            if key not in self._running:
                self._running[key] = self._pool.submit(lambda: self._review(subject, today))
            return self._running[key]

    def _review(self, subject: Subject, today: date) -> None:
        at = monotonic()
        try:
            found = self._looked_at(subject)
        except Exception as error:  # sources and MLflow raise errors of many types, and a page must not fail by them
            _log.warning("%s cannot be reviewed: %s", subject.name, without_credentials(str(error)))
            found = Review((), (f"{subject.name} cannot be reviewed now: {type(error).__name__}: {error}",))
        key = subject.key(today)
        with self._lock:
            if at > self._forgotten.get(subject.name, 0.0):
                self._known[subject.name] = _Known(key, at, _shown(found))
            self._running.pop((subject.name, key), None)

    def _looked_at(self, subject: Subject) -> Review:
        reviewed = subject.open()
        found = review_versions(reviewed, subject.versions, with_schema=False)
        versions, notes = [], list(found.notes)
        for version in found.versions:
            if version.standing is Standing.PRODUCTION:
                try:
                    more, told = self._under_schema(reviewed, subject, version)
                except (TaxiwayError, OSError) as error:
                    more, told = (), (f"{subject.name}: its data cannot be validated again: {error}",)
                version = replace(version, reasons=(*version.reasons, *more))
                notes += told
            versions.append(version)
        return Review(tuple(versions), tuple(notes))

    def _under_schema(
        self, reviewed: PipelineReview, subject: Subject, version: ReviewedVersion
    ) -> tuple[tuple[Reopening, ...], Sequence[str]]:
        """What the present schema finds in the data of the champion, if that is known already."""
        digest, context = subject.versions[version.version][1], reviewed.context
        assert digest is not None  # it was reviewed
        verdict = reviewed.store.get(Verdict, digest)
        if isinstance(context, str) or subject.file is None or verdict.report is None:
            return (), ()
        if not needs_validation(context.pipeline, reviewed.store.get(DataReport, verdict.report)):
            return (), ()
        features = feature_digest(reviewed.ledger.client.get_model_version(subject.name, str(version.version)).tags)
        suite = (Path(context.pipeline.suite),) if context.pipeline.suite else ()
        asked = request_text(subject.file, reviewed.store, reviewed.clock().date(), verdict, features)
        validation = self._validations.find(asked, (subject.file, Path(context.pipeline.schema_file), *suite))
        if not validation.done():
            validation.add_done_callback(lambda _: self.forget(subject.name))
            return (), (f"{subject.name}: the data of version {version.version} is being validated under the present schema",)
        messages = validation.result()
        snapshot = reviewed.store.get(Snapshot, verdict.snapshot)
        return ((schema_reopening(reviewed, snapshot, messages),) if messages else ()), ()


def _shown(found: Review) -> Review:
    """A review as people may see it: without credentials of URLs."""
    versions = [
        replace(
            version,
            reasons=tuple(
                Reopening(without_credentials(reason.message), without_credentials(reason.action)) for reason in version.reasons
            ),
        )
        for version in found.versions
    ]
    return Review(tuple(versions), tuple(map(without_credentials, found.notes)))


REVIEWS = Reviews()
