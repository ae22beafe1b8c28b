"""A source that renames a column: spans, champions and requests from before are read with the present name."""

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stages.conftest import SCHEMA, Site

from taxiway.data.ingest.renamed import rename_columns
from taxiway.models.predictor import predictor_of
from taxiway.records import Outcome
from taxiway.registry.load import load_trusted
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.process import predict_with
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in
from taxiway.stages.validate_data import report_under

SOURCE = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y"}


def arrive(site: Site, span: int, **names: str) -> None:
    """A span whose columns `a` and `b` have other names."""
    path = site.arrive(span)
    pd.read_parquet(path).rename(columns=names).to_parquet(path)


def renamed(site: Site) -> Pipeline:
    made = site.pipeline(source={**SOURCE, "rename": {"a": "amount", "b": "kind"}})
    schema = SCHEMA.replace("  a:", "  amount:").replace("  b:", "  kind:")
    (site.folder / "small.schema.yaml").write_text(schema)
    return made


def test_a_renamed_column_changes_neither_training_nor_the_comparison_nor_requests(
    site: Site, installation: Installation
) -> None:
    first = run_in(installation, site.pipeline(source=SOURCE))
    arrive(site, 3, a="amount", b="kind")
    made = renamed(site)
    found = run_in(installation, made)
    assert found.summary is not None
    assert found.summary.outcome in (Outcome.PROMOTED, Outcome.REJECTED, Outcome.UNDECIDED), found.summary.reasons
    assert found.snapshot is not None
    for span in found.snapshot.spans:
        with installation.store.local_file(span.content) as path:
            assert pq.read_schema(path).names == ["id", "amount", "kind", "y"]
    assert found.snapshot.training[0].original is not None, "its digest is that of the file at the source"
    assert first.evaluation is not None
    assert found.evaluation is not None
    assert found.evaluation.champion == 1
    (auc,) = [result for result in found.evaluation.metrics if result.metric == "roc_auc"]
    assert auc.champion is not None
    assert auc.champion.value > 0.7, "the champion has the values of its columns"
    assert found.verdict is not None
    assert not [reason.message for reason in found.verdict.reasons if "was scored without" in reason.message]

    assert first.snapshot is not None
    today = report_under(made, installation.store, date(2026, 1, 2), first.snapshot)
    assert today.anomalies == (), "rows that were stored before are checked by their former names"

    model = load_trusted(installation.client.tracking_uri, made.name, found.verdict.version, code=site.folder)
    requests = [Rows(names, [[0.3, "x"], [-2.0, "z"]]) for names in (("a", "b"), ("amount", "b"), ("amount", "kind"))]
    answers = {outcome.predictions for outcome in predict_with(predictor_of(model), requests)}
    assert len(answers) == 1
    raw = model.get_raw_model()
    before, after = (raw.predict_proba([dict(zip(request.columns, request.data[0], strict=True))]) for request in requests[::2])
    assert before.tolist() == after.tolist() == [json.loads(answers.pop())[0]]
    wrong = predict_with(predictor_of(model), [Rows(("a", "sort"), [[0.3, "x"]])])[0]
    assert (wrong.status, "missing columns: kind" in wrong.error) == (400, True)


def test_the_rename_is_a_part_of_the_key_of_a_candidate(site: Site, installation: Installation) -> None:
    """Another model: it takes requests with the former name."""
    made = site.pipeline(source=SOURCE)
    first = run_in(installation, made, until="train")
    again = run_in(installation, site.pipeline(source={**SOURCE, "rename": {"former": "a"}}), until="train")
    assert first.candidate is not None
    assert again.candidate is not None
    assert again.candidate.version == first.candidate.version + 1


def test_text_files_are_read_with_the_type_of_the_present_name(site: Site, installation: Installation) -> None:
    for span in (1, 2, 3):
        rows = pd.read_parquet(site.arrive(span)).rename(columns={"b": "code" if span == 3 else "kode"})
        column = rows.columns[2]
        rows[column] = rows[column].map({"x": "007", "y": "08", "z": "9"})
        (site.data / f"{span}.parquet").unlink()
        rows.to_csv(site.data / f"{span}.csv", index=False)
    source = {"spans": "{data}/{SPAN}.csv", "window": 2, "label": "y", "rename": {"kode": "code"}}
    made = site.pipeline(source=source)
    (site.folder / "small.schema.yaml").write_text(SCHEMA.replace("  b:", "  code:"))
    found = run_in(installation, made, until="validate_data")
    assert found.report is not None
    assert found.report.anomalies == ()
    assert found.snapshot is not None
    with installation.store.local_file(found.snapshot.spans[0].content) as path:
        assert set(pq.read_table(path)["code"].to_pylist()) == {"007", "08", "9"}


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"a": "b", "b": "c"}, "rename has a: b, and b is renamed, too; allowed: .* such as a: c"),
        ({"a": "a"}, "rename has a: a, which is the same name; allowed: the former name and another present one"),
        ({"a": "c", "b": "c"}, "two columns that are called c now"),
    ],
)
def test_names_that_are_not_clear_are_refused(rename: dict[str, str], message: str, site: Site) -> None:
    with pytest.raises(ValueError, match=message):
        site.pipeline(source={**SOURCE, "rename": rename})


def test_a_file_with_both_names_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), file)
    assert rename_columns(file, {"a": "b", "c": "d"}, tmp_path, "rows") == file
    written = pq.read_table(rename_columns(file, {"a": "amount"}, tmp_path, "rows"))
    assert written.to_pydict() == {"amount": [1, 2], "b": ["x", "y"]}
