"""The pipeline files that the API server reads: what they say now, and why one cannot be read."""

from pathlib import Path

import pytest
from cli.local_runs import NAME, PIPELINE
from stages.conftest import Site

from taxiway_ui.airflow_db import DagFile
from taxiway_ui.render import page
from taxiway_ui.reviews.files import Files, shown_files
from taxiway_ui.reviews.loaded import LoadedPipeline, load


def at(site: Site) -> DagFile:
    return DagFile(site.folder / "small.py", Path("team/small.py"))


def test_a_file_is_read_again_when_it_or_the_team_file_has_changed(site: Site) -> None:
    first = load(NAME, at(site))
    assert isinstance(first, LoadedPipeline)
    assert (first.shown, first.owner, first.pipeline.gate.thresholds) == (
        "team/small.pipeline.yaml",
        "runner",
        {"roc_auc": 0.6},
    )
    again = load(NAME, at(site))
    assert isinstance(again, LoadedPipeline)
    assert again.pipeline is first.pipeline
    (site.folder / "team.yaml").write_text("team: runner\nowner: ada\n")
    (site.folder / "small.pipeline.yaml").write_text(PIPELINE.replace("roc_auc: 0.6", "roc_auc: 0.75"))
    changed = load(NAME, at(site))
    assert isinstance(changed, LoadedPipeline)
    assert (changed.owner, changed.pipeline.gate.thresholds) == ("ada", {"roc_auc": 0.75})


def test_what_cannot_be_read_says_why(site: Site) -> None:
    assert "does not say where" in str(load(NAME, None))
    assert "there is no x/y.pipeline.yaml" in str(load(NAME, DagFile(site.folder / "y.py", Path("x/y.py"))))
    assert "is the file of runner.small" in str(load("runner.other", at(site)))
    (site.folder / "small.pipeline.yaml").write_text("pipeline: [")
    assert "team/small.pipeline.yaml is not valid now" in str(load(NAME, at(site)))


def shown(site: Site) -> Files:
    return shown_files(NAME, at(site))


def test_the_files_are_shown_escaped_and_without_credentials(site: Site) -> None:
    secret = "# <script>alert(1)</script> s3://ada:secret@bucket/x?sig=abc\n"
    (site.folder / "small.pipeline.yaml").write_text(secret + PIPELINE)
    (site.folder / "team.yaml").write_text("team: runner\n")
    found = shown(site)
    assert [file.shown for file in found.files] == ["team/small.pipeline.yaml", "team/small.schema.yaml", "team/team.yaml"]
    assert found.files[1].note.startswith("schema version ")
    html = page("files.html", view=found, here="/taxiway", airflow="")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    for word in ("secret", "abc"):
        assert word not in html
    assert '<span class="line">pipeline: small</span>' in html
    assert "range: {min: -100, max: 100}" in html


def test_a_file_that_is_not_valid_is_shown_with_its_error(site: Site) -> None:
    (site.folder / "small.pipeline.yaml").write_text(PIPELINE + "nonsense: 1\n")
    found = shown(site)
    assert [file.what for file in found.files] == ["pipeline file"]
    html = page("files.html", view=found, here="", airflow="")
    assert "is not valid now" in html
    assert '<span class="line">nonsense: 1</span>' in html


def test_an_invalid_schema_is_shown_with_its_error(site: Site) -> None:
    (site.folder / "small.schema.yaml").write_text("label: y\nfeatures: 7\n")
    assert "it is not valid now" in shown(site).files[1].note


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"# " + b"x" * 2_000_000])
def test_no_content_breaks_the_page(site: Site, content: bytes) -> None:
    (site.folder / "small.pipeline.yaml").write_bytes(content)
    html = page("files.html", view=shown(site), here="", airflow="")
    assert len(html) < 1_200_000
