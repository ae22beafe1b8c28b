"""`taxiway lint`: mistakes in pipeline files and what belongs to them, and notes that are not mistakes."""

from taxiway.cli.lint.files import STUB, lint, pipeline_files

__all__ = ["STUB", "lint", "pipeline_files"]
