"""Labels that a person sends on the page of a run: imported as the command does, once, and refused as a whole."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from cli.local_runs import NAME, PIPELINE, done, run
from stages.conftest import Site

from taxiway.cli.people.opened import Given, opened
from taxiway.errors import ConfigError, TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.lineage.run_records import RunRecords
from taxiway.lineage.verdicts import judged_version
from taxiway.records import DecisionKind
from taxiway.store import Store
from taxiway.tracking.local import database_uri
from taxiway_ui.airflow_db import DagFile
from taxiway_ui.people.decisions import Person
from taxiway_ui.people.labels import MAX_LABELS, LabelsPage, import_upload, takes_labels
from taxiway_ui.people.upload import InvalidFormError, Upload
from taxiway_ui.render import page
from taxiway_ui.reviews.loaded import LoadedPipeline, load


@dataclass(frozen=True)
class Opened:
    """What the page of the run of version 1 knows."""

    ledger: Ledger
    store: Store
    records: RunRecords
    loaded: LoadedPipeline | str

    def send(self, rows: pd.DataFrame, by: str = "ann", name: str = "mine.csv") -> LabelsPage:
        content = rows.to_csv(index=False).encode() if name.endswith(".csv") else rows.to_parquet()
        upload = Upload(name, Path(name).suffix, content)
        return import_upload(Person(self.ledger, NAME, by, ""), self.store, self.loaded, self.records, upload, "run 1")

    def decided(self) -> list[str]:
        return [made.reason for made in decisions(self.ledger, model=NAME) if made.kind is DecisionKind.LABELS]


@contextmanager
def page_of(site: Site) -> Iterator[Opened]:
    local = Path(".taxiway/local")
    with opened(Given(database_uri(local), str(local.absolute() / "store"), None)) as installation:
        records = judged_version(installation.ledger.client, installation.store(), NAME, 1).records
        loaded = load(NAME, DagFile(site.folder / "small.py", Path("team/small.py")))
        yield Opened(installation.ledger, installation.store(), records, loaded)


@pytest.fixture
def rows(champion_site: Site) -> pd.DataFrame:
    """The exported rows of a span that waits for ten labels, filled in; version 1 was decided before."""
    (champion_site.folder / "small.pipeline.yaml").write_text(PIPELINE.replace("label: y}", "label: y, unlabelled: wait}"))
    path = champion_site.arrive(3)
    data = pd.read_parquet(path)
    data["y"] = data["y"].astype("boolean")
    data.loc[:9, "y"] = pd.NA
    data.to_parquet(path)
    done("label", "export", f"{NAME}/1", "-o", "rows.csv", "--dags", "small.pipeline.yaml", "--data", "data")
    return pd.read_csv("rows.csv").assign(y=True)


@pytest.mark.parametrize("name", ["mine.csv", "mine.parquet"])
def test_labels_that_are_sent_twice_are_imported_once(site: Site, rows: pd.DataFrame, name: str) -> None:
    with page_of(site) as opened_page:
        assert takes_labels(opened_page.loaded, opened_page.records)
        first, second = (opened_page.send(rows, name=name) for _ in range(2))
        assert first.imported.digest == second.imported.digest
        assert (first.count, first.again, first.imported.decision.via) == ("10 labels", None, "airflow")
        assert opened_page.decided() == ["10 labels of ann for span 3"]
    assert "imported labels for 10 rows" in run().output


def test_conflicts_name_their_rows_and_the_agreement(site: Site, rows: pd.DataFrame) -> None:
    with page_of(site) as opened_page:
        assert opened_page.send(rows).conflicts == ()
        other = rows.assign(y=[number > 1 for number in range(10)])
        found = opened_page.send(other, by="bob")
    keys = sorted(str(number) for number in rows["id"][:2])
    assert sorted(found.conflicts) == [f"{key} in span 3" for key in keys]
    html = page("labels.html", view=found, here="/taxiway", airflow="")
    assert "ann and bob agree on 8 of 10 rows" in html
    assert f"{keys[0]} in span 3" in html
    assert "The next run decides with these labels" in html


def test_a_file_that_is_not_right_is_refused_as_a_whole_with_its_own_name(site: Site, rows: pd.DataFrame) -> None:
    with page_of(site) as opened_page:
        for changed, why in (
            (rows.assign(id=rows["id"].replace(rows["id"][3], 77)), "mine.csv has 1 key that no row of the spans"),
            (pd.concat([rows, rows.head(1)]), "mine.csv has the key"),
            (rows.assign(y="perhaps"), "the labels of mine.csv do not fit the schema"),
            (rows.assign(y=None), "mine.csv has no label"),
            (
                rows.drop(columns="id").rename(columns={"a": "ids"}),
                r"mine\.csv has no column id, which is a column of the key; required: id, y\. The file has .*is ids the one that is meant",
            ),
        ):
            with pytest.raises(InvalidFormError, match=why):
                opened_page.send(changed)
        many = pd.DataFrame({"id": range(MAX_LABELS + 1), "y": True})
        with pytest.raises(InvalidFormError, match=r"mine\.parquet has 100,001 labels; allowed: at most 100,000"):
            opened_page.send(many, name="mine.parquet")
        broken = Upload("mine.parquet", ".parquet", b"nothing")
        with pytest.raises(InvalidFormError, match=r"mine\.parquet"):
            import_upload(
                Person(opened_page.ledger, NAME, "ann", ""),
                opened_page.store,
                opened_page.loaded,
                opened_page.records,
                broken,
                "r",
            )
        assert opened_page.decided() == []


def test_only_pipelines_that_leave_out_rows_take_labels_and_no_code_of_a_team_runs(site: Site, rows: pd.DataFrame) -> None:
    (site.folder / "small.pipeline.yaml").write_text(PIPELINE)
    with page_of(site) as opened_page:
        assert not takes_labels(opened_page.loaded, opened_page.records)
        assert not takes_labels("there is no file", opened_page.records)
        with pytest.raises(ConfigError, match=r"source\.unlabelled is fail"):
            opened_page.send(rows)
        (site.folder / "own.py").write_text("raise SystemExit('the code of a team runs')\n")
        by_function = "{function: own.py:rows, every: day, first: 2013-01-01, label: y, unlabelled: drop}"
        (site.folder / "small.pipeline.yaml").write_text(re.sub(r"source: .*", f"source: {by_function}", PIPELINE))
        loaded = load(NAME, DagFile(site.folder / "small.py", Path("team/small.py")))
        own = Opened(opened_page.ledger, opened_page.store, opened_page.records, loaded)
        assert not takes_labels(loaded, own.records)
        with pytest.raises(ConfigError, match="a Python function, which Airflow's API server does not run"):
            own.send(rows)
        nothing = Opened(opened_page.ledger, opened_page.store, RunRecords(), opened_page.loaded)
        with pytest.raises(TerminalError, match="has no verdict"):
            nothing.send(rows)
