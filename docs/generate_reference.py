"""Writes docs/reference/ from the models of `taxiway.spec` and `taxiway.data.schema`; a test checks that the pages are up to date.

What a key does and what uses it cannot be read from the models, so `docs/reference_pages/` describes it; a key without a
description is an error.
"""

from pathlib import Path

from reference_pages import pipeline_file, schema_file, scoring_file, team_file
from reference_pages.page import page_text

REFERENCE = Path(__file__).parent / "reference"


def pages() -> dict[Path, str]:
    """The pages of the reference by their paths."""
    made = [module.page() for module in (pipeline_file, scoring_file, team_file, schema_file)]
    return {REFERENCE / page.file: page_text(page) for page in made}


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text)
