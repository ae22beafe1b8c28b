"""People label the rows that would help most, and their labels decide a span, on the records of local runs."""

import csv
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from cli.local_runs import NAME, PIPELINE, done, refused, run, taxiway
from stages.conftest import SCHEMA, Site

WHERE = ("--dags", "small.pipeline.yaml", "--data", "data")


def pipeline(site: Site, unlabelled: str) -> None:
    (site.folder / "small.pipeline.yaml").write_text(PIPELINE.replace("label: y}", f"label: y, unlabelled: {unlabelled}}}"))


def arrive_unlabelled(site: Site, span: int, rows: int) -> "pd.Series[bool]":
    """A span whose first rows have no label; returns the labels by id."""
    path = site.arrive(span)
    data = pd.read_parquet(path)
    labels = data.set_index("id")["y"]
    data["y"] = data["y"].astype("boolean")
    data.loc[: rows - 1, "y"] = pd.NA
    data.to_parquet(path)
    return labels


def label_file(rows: str, labels: "pd.Series[bool]", file: str, wrong: int = 0) -> str:
    """An exported file with its labels, of which the first so many are wrong."""
    table = pd.read_csv(rows)
    table["y"] = [bool(labels[number]) ^ (at < wrong) for at, number in enumerate(table["id"])]
    table.to_csv(file, index=False)
    return file


def export(version: int, file: str, *more: str) -> str:
    return done("label", "export", f"{NAME}/{version}", "-o", file, *more, *WHERE)


def import_(version: int, file: str, by: str) -> str:
    return done("label", "import", f"{NAME}/{version}", file, "--by", by, *WHERE)


def test_two_people_label_a_span_that_waits_and_it_is_decided_when_they_agree(champion_site: Site) -> None:
    from sklearn.metrics import cohen_kappa_score

    pipeline(champion_site, "wait")
    assert f"no row of {NAME} waits for a label; spans that were read: 1" in export(1, "none.csv")
    assert not Path("none.csv").exists()
    labels = arrive_unlabelled(champion_site, 3, 40)
    assert "the label y is missing in 40 of 1,000 rows" in run().output
    assert "wrote 40 rows of the 40 without a label (40 in span 3) to rows.csv" in export(1, "rows.csv")
    with Path("rows.csv").open() as rows:
        header, first, *_ = csv.reader(rows)
    assert header == ["id", "a", "b", "y"], "the key, the raw columns and the label, and no answer of a model"
    assert first[3] == ""
    assert "may have labels already" in refused("label", "export", f"{NAME}/1", "-o", "rows.csv", *WHERE)

    ann = import_(1, label_file("rows.csv", labels, "ann.csv"), "ann")
    assert "imported 40 labels (40 in span 3)" in ann
    assert "next: taxiway run --data data small.pipeline.yaml, or in Airflow a run" in ann
    ben = import_(1, label_file("rows.csv", labels, "ben.csv", wrong=4), "ben")
    kappa = cohen_kappa_score(*(pd.read_csv(file)["y"] for file in ("ann.csv", "ben.csv")))
    assert f"ann and ben agree on 36 of 40 rows; Cohen's kappa {kappa:.3f}" in ben
    assert "4 rows are labelled differently, and count as not labelled until their labellers agree" in ben
    assert "the label y is missing in 4 of 1,000 rows" in run().output
    assert "wrote 4 rows of the 4 without a label" in export(1, "left.csv")

    resolved = import_(1, label_file("left.csv", labels, "ben.csv"), "ben")
    assert "ann and ben agree on 40 of 40 rows; Cohen's kappa 1.000" in resolved
    decided = run()
    assert decided.exit_code == 0, decided.output
    assert "3: imported labels for 40 rows" in decided.output
    assert "PROMOTED 3, version 2" in decided.output
    history = done("history", NAME)
    assert [
        history.count(f"{count} labels of {name} for span 3") for count, name in ((40, "ann"), (40, "ben"), (4, "ben"))
    ] == [1, 1, 1]
    assert "0 problems" in taxiway("ledger", "verify").output


def test_another_data_folder_is_an_error_that_names_it(champion_site: Site) -> None:
    pipeline(champion_site, "wait")
    arrive_unlabelled(champion_site, 3, 10)
    Path("empty").mkdir()
    for folder in ("empty", "absent"):
        where = ("--dags", "small.pipeline.yaml", "--data", folder)
        told = refused("label", "export", f"{NAME}/1", "-o", "rows.csv", *where)
        assert re.search(rf"no span is at {folder}/\S*; .data. stands for {folder}\. .* --data FOLDER", told)
    assert "--data FOLDER" in refused("label", "export", f"{NAME}/1", "-o", "rows.csv", "--dags", "small.pipeline.yaml")
    told = export(1, "rows.csv")
    next_ = f"taxiway label import --dags small.pipeline.yaml --data data {NAME}/1 rows.csv --by NAME"
    assert next_ in told


def test_labels_of_rows_that_were_left_out_start_a_new_attempt_that_says_so(
    champion_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline(champion_site, "drop")
    labels = arrive_unlabelled(champion_site, 3, 300)
    assert "3: 300 of 1,000 rows are removed" in run().output
    told = export(2, "rows.parquet", "--rows", "50", "--with-answers")
    assert "wrote 50 rows of the 300 without a label (300 in span 3) to rows.parquet" in told
    table = pq.read_table("rows.parquet")
    assert table.column_names == ["id", "a", "b", "answer_of_version_2", "y"]
    assert str(table.schema.field("y").type) == "bool"

    rows = table.to_pandas()
    rows["y"] = [bool(labels[number]) for number in rows["id"]]
    rows.to_parquet("ann.parquet")
    assert "next: taxiway run --data data small.pipeline.yaml --span 3" in import_(2, "ann.parquet", "ann")
    again = run("--span", "3")
    assert "3: imported labels for 50 rows" in again.output
    assert "3: 250 of 1,000 rows are removed" in again.output
    assert "attempt 2 at 3: imported 50 labels of ann for span 3" in caplog.text
    assert "is already the champion" in run("--span", "3").output, "the same labels change nothing"


def test_rows_on_which_the_models_differ_come_first_and_then_the_nearest_to_the_threshold(champion_site: Site) -> None:
    pipeline(champion_site, "wait")
    champion_site.arrive(3, signal=-1.0)
    champion_site.arrive(4)
    assert run().exit_code == 1
    assert run().exit_code == 1, "a version that predicts the contrary"
    arrive_unlabelled(champion_site, 5, 200)
    told = export(3, "rows.csv", "--with-answers", "--differing-first")
    assert "versions 3 and 1 predict different classes in 100 of them, which come first" in told
    assert "the gate leaves them out until all rows of their span have a label" in told
    rows = pd.read_csv("rows.csv")
    assert (rows["answer_of_version_1"] != rows["answer_of_version_3"]).all()
    assert export(1, "own.csv", "--rows", "200", "--with-answers", "--differing-first").count("predict different classes") == 0
    own = pd.read_csv("own.csv")["a"].abs()
    assert own.head(20).max() < own.tail(100).min(), "the label depends on the sign of a"


@pytest.fixture
def waiting(champion_site: Site) -> "tuple[Site, pd.Series[bool]]":
    """A champion, and a span that waits for ten labels, whose rows are in `rows.csv`."""
    pipeline(champion_site, "wait")
    labels = arrive_unlabelled(champion_site, 3, 10)
    export(1, "rows.csv")
    return champion_site, labels


def test_a_file_that_is_not_right_is_refused_as_a_whole(waiting: "tuple[Site, pd.Series[bool]]") -> None:
    site, labels = waiting
    good = pd.read_csv(label_file("rows.csv", labels, "good.csv"))

    def refusal(**changes: object) -> str:
        good.assign(**changes).to_csv("bad.csv", index=False)
        return refused("label", "import", f"{NAME}/1", "bad.csv", "--by", "ann", *WHERE)

    unknown = [77, *good["id"][1:]]
    assert 'has 1 key that no row of the spans without a decision (1, 3) has: "77"' in refusal(id=unknown)
    assert "in more than one row; allowed: each row once" in refusal(id=[good["id"][1], *good["id"][1:]])
    assert "in rows without a value in the key id" in refusal(id=["", *good["id"][1:]])
    known = next(number for number in labels.index if number not in set(good["id"]))
    contrary = [str(not labels[known]), *good["y"][1:]]
    assert "has 1 label other than at the source" in refusal(id=[known, *good["id"][1:]], y=contrary)
    assert "do not fit the schema: y in bad.csv " in refusal(y=["perhaps", *good["y"][1:]])
    third = [None, None, "perhaps", *good["y"][3:]]
    assert "(row 3)" in refusal(y=third), "rows without a label count, so that the number is that in the file"
    assert "has no label: the column y is empty" in refusal(y="")
    good.rename(columns={"id": "number"}).to_csv("bad.csv", index=False)
    assert "has no column id" in refused("label", "import", f"{NAME}/1", "bad.csv", "--by", "ann", *WHERE)
    assert "--by is empty" in refused("label", "import", f"{NAME}/1", "good.csv", "--by", " ", *WHERE)
    unseen = refused("label", "import", f"{NAME}/1", "good.csv", "--by", "ann\u202e", *WHERE)
    assert "--by has characters that cannot be printed" in unseen
    assert "labels" not in done("history", NAME), "nothing was imported"
    assert not (site.folder / ".taxiway/local/store/index/labels").exists()


def test_a_file_whose_encoding_is_not_detected_is_imported_by_the_option_that_the_error_names(
    waiting: "tuple[Site, pd.Series[bool]]",
) -> None:
    _, labels = waiting
    given = pd.read_csv(label_file("rows.csv", labels, "ann.csv"))
    given.assign(note="caf\u00e9").to_csv("ann.csv", index=False, encoding="latin-1")
    arguments = ("label", "import", f"{NAME}/1", "ann.csv", "--by", "ann", *WHERE)
    (option,) = re.findall(r"--csv (encoding=\S+)", refused(*arguments))
    assert "imported 10 labels" in done(*arguments, "--csv", option)


def test_some_labels_are_enough_and_a_label_of_the_source_is_left_out(waiting: "tuple[Site, pd.Series[bool]]") -> None:
    _, labels = waiting
    some = pd.read_csv(label_file("rows.csv", labels, "some.csv"))
    known = next(number for number in labels.index if number not in set(some["id"]))
    some["y"] = some["y"].astype(object)
    some.loc[3:, "y"] = None
    some.loc[9, ["id", "y"]] = [known, bool(labels[known])]
    some.to_csv("some.csv", index=False)
    told = import_(1, "some.csv", "ann")
    assert "imported 3 labels (3 in span 3)" in told
    assert "left out 1 label of rows that have the same label at the source" in told
    assert "the label y is missing in 7 of 1,000 rows" in run().output


@pytest.mark.parametrize(
    ("unlabelled", "schema", "problem"),
    [
        ("fail", SCHEMA, "source.unlabelled is fail, so a missing label is an error; allowed: wait"),
        ("wait", SCHEMA.replace("key: id\n", ""), "small.schema.yaml has no key, by which labels find their rows"),
    ],
)
def test_what_cannot_be_labelled_says_why(champion_site: Site, unlabelled: str, schema: str, problem: str) -> None:
    pipeline(champion_site, unlabelled)
    (champion_site.folder / "small.schema.yaml").write_text(schema)
    assert problem in refused("label", "export", f"{NAME}/1", "-o", "rows.csv", *WHERE)
    assert "allowed: .csv or .parquet" in refused("label", "export", f"{NAME}/1", "-o", "rows.xlsx", *WHERE)
