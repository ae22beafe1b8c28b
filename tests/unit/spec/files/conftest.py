"""A pipeline file that a test writes."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a pipeline file beside an empty schema, and returns its path."""
    (tmp_path / "late.schema.yaml").write_text("features: {}")

    def writer(text: str) -> Path:
        path = tmp_path / "late.pipeline.yaml"
        path.write_text(text)
        return path

    return writer
