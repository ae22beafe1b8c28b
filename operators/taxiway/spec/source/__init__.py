"""The `source` section of a pipeline file: the kinds of sources, joined tables, and which spans and rows a run reads."""

from taxiway.spec.source.keys import SourceKeys
from taxiway.spec.source.kinds import KINDS, FileSource, FunctionSource, PeriodSource, SqlSource, TableSource
from taxiway.spec.source.union import Source, read_source, source_from_json

__all__ = [
    "KINDS",
    "FileSource",
    "FunctionSource",
    "PeriodSource",
    "Source",
    "SourceKeys",
    "SqlSource",
    "TableSource",
    "read_source",
    "source_from_json",
]
