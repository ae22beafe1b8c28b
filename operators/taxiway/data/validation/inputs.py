"""The input of the checks: the rows that are checked, and what they are compared with."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from taxiway.data.engine.conditions import same_but_case
from taxiway.data.engine.duckdb_table import Table
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import TRAINING, Schema
from taxiway.errors import ConfigError
from taxiway.records import JoinMatch


@dataclass(frozen=True)
class CheckTarget:
    """A span, or other data, as the checks see it.

    Attributes:
        name: The label of the span (`2013-04 v2`), or the name of the file.
        title: How messages name it: `span 2013-04 v2`, or the name of the file.
        profile: Its statistics.
        table: Opens its rows, for the checks that need more than statistics.
        files: Fetches the files of its rows, for the checks that read several spans together.
    """

    name: str
    title: str
    profile: Profile
    table: Callable[[], Table]
    files: Callable[[], Sequence[Path]]

    def require_distinct_names(self, where: str) -> None:
        """Check that no two columns differ only in case, which DuckDB's SQL ignores.

        Args:
            where: What reads the columns by SQL, such as `rules`.

        Raises:
            ConfigError: There are such columns.
        """
        pair = same_but_case(column.name for column in self.table().columns)
        if pair:
            raise ConfigError(
                f'{self.title} has the columns "{pair[0]}" and "{pair[1]}"; column names in {where} are not case-sensitive. '
                f"Rename one in the source, or remove the {where}"
            )


@dataclass(frozen=True)
class Baseline:
    """The profile of the earlier rows that drift is measured from, and their name in messages: `the training spans`."""

    profile: Profile
    name: str


@dataclass(frozen=True)
class CheckInput:
    """Everything that a check may look at. What is empty or None is not checked.

    Attributes:
        schema: What the data must be.
        targets: The spans that are checked, oldest first.
        environment: TRAINING, or SERVING, in which the label is not expected.
        pipeline: The name of the pipeline whose model uses the features.
        used_features: The features of that model.
        joins: The match rates of the joined tables.
        earlier: The profiles of the spans before the newest, oldest first.
        baseline: What drift is measured from.
        serving: Serving data, for skew.
        requests: The inputs of logged requests, for skew. Unlike serving data, they may lack columns, and be about other rows.
        suite: The file of a Great Expectations suite.
        suite_docs: The HTML file to write the suite's results to, as Great Expectations' Data Docs.
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
    requests: CheckTarget | None = None
    suite: Path | None = None
    suite_docs: Path | None = None

    @property
    def newest(self) -> CheckTarget:
        """The newest span, which is compared with the others."""
        return self.targets[-1]

    @property
    def request_schema(self) -> Schema:
        """The schema of the columns that the requests have."""
        names = {column.name for column in self.requests.profile.columns} if self.requests is not None else ()
        return self.schema.model_copy(update={"features": tuple(each for each in self.schema.features if each.name in names)})
