"""The section `source` of a pipeline file: where the rows come from, and which of them a run reads."""

from pydantic import Field

from taxiway.pipeline_origin import Origin


class Source(Origin):
    """Where the labelled rows come from: files (`spans`), a query (`sql`) or a function of your own (`function`).

    `spans` is a pattern of paths on any fsspec URL with {YYYY}, {MM}, {DD} or {SPAN}, and {VERSION}; {data} is the folder or URL
    that the installation sets. Those of a query or a function are the periods since `first`, in UTC, each `every` long; they are
    asked for the rows from {begin} on, up to and without {end}. A run evaluates on one span and trains on the `window` spans
    before it.
    """

    window: int = Field(default=3, ge=1, le=10_000, strict=True)
    label: str
