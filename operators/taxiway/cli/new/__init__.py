"""`taxiway new`: drafts a pipeline from existing data, as files that run as they are and that people then edit."""

from taxiway.cli.new.pipeline import new_pipeline

__all__ = ["new_pipeline"]
