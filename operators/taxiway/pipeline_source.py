"""The section `source` of a pipeline file: where the rows come from, and which of them a run reads."""

from pydantic import Field

from taxiway.pipeline_types import Section


class Source(Section):
    """Where the labelled rows come from.

    `spans` is a pattern of paths on any fsspec URL with {YYYY}, {MM}, {DD} or {SPAN}, and {VERSION}; {data} is the folder or URL
    that the installation sets. A run evaluates on one span and trains on the `window` spans before it.
    """

    spans: str
    window: int = Field(default=3, ge=1, le=10_000, strict=True)
    label: str
