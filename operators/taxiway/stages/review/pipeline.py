"""One pipeline under review: its ledger and store, its context, and what is known of the versions of its spans."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from taxiway.data.sources.find import spans_of
from taxiway.errors import ConfigError, TaxiwayError
from taxiway.ledger.chain import Ledger
from taxiway.lineage.outcomes import processed_spans, summary_of
from taxiway.records import RunSummary, Snapshot, Span
from taxiway.stages.context import StageContext
from taxiway.store import SpanKey, Store


@dataclass(frozen=True)
class PipelineReview:
    """The review of one pipeline.

    Attributes:
        name: The name of the pipeline and of its model.
        ledger: The ledger of the installation.
        store: Its store.
        clock: Returns the current time in UTC.
        file: The path of the pipeline file, for the commands in messages.
        owner: Who owns the pipeline.
        context: The pipeline with its services, whose recorder is not used; or why its file cannot be read here. Then it is not
            known what has changed at the source and in the schema.
    """

    name: str
    ledger: Ledger
    store: Store
    clock: Callable[[], datetime]
    file: str
    owner: str
    context: StageContext | str

    @classmethod
    def of(cls, context: StageContext, file: str, owner: str) -> "PipelineReview":
        """The review of the pipeline of a context.

        Args:
            context: The pipeline with its services.
            file: The path of its file.
            owner: Who owns it.
        """
        return cls(context.pipeline.name, context.ledger, context.store, context.clock, file, owner, context)

    def opened(self) -> StageContext:
        """The context.

        Raises:
            ConfigError: The pipeline file cannot be read here.
        """
        if isinstance(self.context, str):
            raise ConfigError(self.context)
        return self.context

    @cached_property
    def decided(self) -> Mapping[str, int]:
        """The newest version of each span that has a decision."""
        return _newest(self._processed)

    @property
    def at_source(self) -> Mapping[str, int]:
        """The newest version of each span at the source; empty if it cannot be listed. It takes one listing."""
        return self._listing[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """Why it is not known which spans were corrected at the source; empty if it is."""
        return self._listing[1]

    def summary_of(self, span: Span) -> RunSummary | None:
        """The summary of the run that decided this version of a span, read once; None if there is none."""
        key = span.name, span.version
        if key not in self._summaries:
            self._summaries[key] = summary_of(self.store, self.name, span)
        return self._summaries[key]

    def run_again(self, snapshot: Snapshot) -> str:
        """The command that decides the target span of a snapshot again."""
        return f"taxiway run {self.file} --span {snapshot.target_span.name} --again WHY"

    @cached_property
    def _summaries(self) -> dict[SpanKey, RunSummary | None]:
        return {}

    @cached_property
    def _processed(self) -> frozenset[SpanKey]:
        return processed_spans(self.store, self.name)

    @cached_property
    def _listing(self) -> tuple[Mapping[str, int], tuple[str, ...]]:
        unknown = f"{self.name}: corrections at the source are not known"
        if isinstance(self.context, str):
            return {}, (f"{unknown}, nor whether the present schema accepts the data: {self.context}",)
        try:
            source = self.context.source
            found = spans_of(source, processed=self._processed, now=self.clock())
        except (TaxiwayError, OSError) as error:
            return {}, (f"{unknown}: {error}",)
        if not found:
            return {}, (f"{unknown}: {source.nothing_found_message}; name the folder or URL of the data: --data",)
        return _newest((span.name, span.version) for span in found), ()


def _newest(keys: Iterable[SpanKey]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, version in keys:
        found[name] = max(version, found.get(name, version))
    return found
