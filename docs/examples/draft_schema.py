"""Prints a first draft of a schema: `python draft_schema.py PATTERN LABEL`, such as '/srv/raw/subscriptions/{YYYY}-{MM}.parquet'."""

import sys
import tempfile

from taxiway.data.ingest import ingest, plan_window
from taxiway.data.schema import infer_schema, schema_to_yaml
from taxiway.data.spans import find_spans
from taxiway.store import Store


def draft(pattern: str, label: str) -> str:
    """The schema that the first three spans at `pattern` pass, as YAML."""
    plan = plan_window(find_spans(pattern), window=3, decided=frozenset(), requested=None)
    if plan is None:
        raise SystemExit(f"{pattern} matches fewer than four files")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        snapshot = ingest(plan, pipeline="draft", source=pattern, store=store)
        return schema_to_yaml(infer_schema(snapshot, store, label))


if __name__ == "__main__":
    print(draft(*sys.argv[1:]))
