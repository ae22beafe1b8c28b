"""Ingest: which spans a run reads, and the snapshot of their rows."""

from taxiway.stages.ingest.plan import IngestPlan, ingest_state, next_span, plan_ingest
from taxiway.stages.ingest.snapshot import ingest

__all__ = ["IngestPlan", "ingest", "ingest_state", "next_span", "plan_ingest"]
