"""What people write: pipelines, their sources, gates and sweeps, and teams. `read_pipeline` reads a pipeline file."""

from taxiway.spec.files.pipeline_file import read_pipeline, read_team
from taxiway.spec.gate import AgainstChampion, Gate, Slices
from taxiway.spec.model.section import Model
from taxiway.spec.pipeline import Features, Pipeline
from taxiway.spec.shadow import Shadow
from taxiway.spec.source import FileSource, FunctionSource, Source, SqlSource, TableSource
from taxiway.spec.source.join import Join
from taxiway.spec.source.selection import FixedWindow, Sample, Split
from taxiway.spec.sweep import Between, Sweep
from taxiway.spec.team import Team

__all__ = [
    "AgainstChampion",
    "Between",
    "Features",
    "FileSource",
    "FixedWindow",
    "FunctionSource",
    "Gate",
    "Join",
    "Model",
    "Pipeline",
    "Sample",
    "Shadow",
    "Slices",
    "Source",
    "Split",
    "SqlSource",
    "Sweep",
    "TableSource",
    "Team",
    "read_pipeline",
    "read_team",
]
