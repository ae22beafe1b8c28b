"""One pipeline under review: its context, and what is known of the versions of its spans."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from taxiway.data.sources.find import spans_of
from taxiway.errors import TaxiwayError
from taxiway.lineage.outcomes import processed_spans
from taxiway.records import Snapshot
from taxiway.stages.context import StageContext
from taxiway.store import SpanKey


@dataclass(frozen=True)
class PipelineReview:
    """The review of one pipeline.

    Attributes:
        context: The pipeline with its services. Its recorder is not used.
        file: The path of its file, for the commands in messages.
        owner: Who owns it.
    """

    context: StageContext
    file: str
    owner: str

    @property
    def name(self) -> str:
        """The name of the pipeline and of its model."""
        return self.context.pipeline.name

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

    def run_again(self, snapshot: Snapshot) -> str:
        """The command that decides the target span of a snapshot again."""
        return f"taxiway run {self.file} --span {snapshot.target_span.name} --again WHY"

    @cached_property
    def _processed(self) -> frozenset[SpanKey]:
        return processed_spans(self.context.store, self.name)

    @cached_property
    def _listing(self) -> tuple[Mapping[str, int], tuple[str, ...]]:
        unknown = f"{self.name}: corrections at the source are not known"
        try:
            source = self.context.source
            found = spans_of(source, processed=self._processed, now=self.context.clock())
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
