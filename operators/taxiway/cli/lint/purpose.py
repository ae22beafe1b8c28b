"""Notes about the `purpose` section: what the model card of the gate report lacks."""

from collections.abc import Iterator
from pathlib import Path

from taxiway.messages import number_text
from taxiway.spec.files.pipeline_file import line_of
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.purpose import Purpose


def purpose_notes(file: Path, pipeline: Pipeline) -> Iterator[str]:
    """The keys of `purpose` that are blank, and a goal that the gate does not measure.

    Args:
        file: The pipeline file.
        pipeline: The pipeline in it.
    """
    found = pipeline.purpose
    if found is None:
        yield f"{file.name}: no purpose; the model card of the gate report lacks {', '.join(Purpose().blank())}"
        return
    place = f"{file.name}:{line_of(file, ['purpose'])}"
    blank = list(found.blank())
    if blank:
        yield f"{place}: purpose has no {', '.join(blank)}, which the model card of the gate report lacks"
    goal = found.goal
    if goal is not None and goal.metric not in pipeline.gate.metrics_used:
        yield (
            f"{place}: purpose.goal is {goal.metric} {number_text(goal.target)}, which no evaluation measures; allowed: "
            f"{', '.join(pipeline.gate.metrics_used)}, or another metric that is added to gate.thresholds"
        )
