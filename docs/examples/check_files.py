"""Reads a pipeline file and its schema as a task would, and says what is wrong: `python check_files.py NAME.pipeline.yaml`."""

import sys
from pathlib import Path

from taxiway.data.schema import load_schema
from taxiway.errors import ConfigError
from taxiway.pipeline_file import read_pipeline


def check(path: Path) -> str:
    """One line about the pipeline. Raises ConfigError naming every mistake in a file."""
    pipeline = read_pipeline(path)
    schema = load_schema(Path(pipeline.schema_file))
    return f"{pipeline.name}: {len(schema.features)} features, label {schema.label}, schema version {schema.digest}"


if __name__ == "__main__":
    try:
        print(check(Path(sys.argv[1])))
    except ConfigError as error:
        sys.exit(str(error))
