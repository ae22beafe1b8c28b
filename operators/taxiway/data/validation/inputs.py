"""What the checks are given: the rows under judgement, and what they are compared with."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from taxiway.data.engine.duckdb_table import Table
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import TRAINING, Schema
from taxiway.records import JoinMatch


@dataclass(frozen=True)
class CheckTarget:
    """A span, or data of any other kind, as the checks see it.

    Attributes:
        name: How messages name it: `2013-04 v2`.
        profile: Its statistics.
        table: Opens its rows, for the checks that need more than statistics.
    """

    name: str
    profile: Profile
    table: Callable[[], Table]


@dataclass(frozen=True)
class Baseline:
    """The earlier rows that drift is measured from, and how messages name them: `the training spans`."""

    profile: Profile
    name: str


@dataclass(frozen=True)
class CheckInput:
    """Everything that a check may look at. What is empty or None was not given, and is not checked.

    Attributes:
        schema: What the data should be.
        targets: The spans under judgement, oldest first.
        environment: Where the data come from: training, or serving, which has no label.
        pipeline: Whose model uses the features.
        used_features: The features that this model takes.
        joins: How many rows found a partner in the tables that were joined.
        earlier: The profiles of the spans before the newest, oldest first.
        baseline: What drift is measured from.
        serving: Serving data, for skew.
        suite: A file with a suite of Great Expectations.
        suite_docs: The file that the suite's results are written to as a page of Great Expectations.
    """

    schema: Schema
    targets: tuple[CheckTarget, ...]
    environment: str = TRAINING
    pipeline: str | None = None
    used_features: Collection[str] = ()
    joins: tuple[JoinMatch, ...] = ()
    earlier: tuple[Profile, ...] = ()
    baseline: Baseline | None = None
    serving: CheckTarget | None = None
    suite: Path | None = None
    suite_docs: Path | None = None

    @property
    def newest(self) -> CheckTarget:
        """The span that is compared with the others."""
        return self.targets[-1]
