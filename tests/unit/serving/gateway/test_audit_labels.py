"""Labels of audits: they name the person, replace no label of anybody else, and do not get into the rows for the next gate by themselves."""

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from labelling import asked, counts, csv_of, send, send_file, stored
from running import ADMIN, Running

from taxiway.cli.main import main
from taxiway.errors import RequestError
from taxiway.serving.audit_labels import auditor_header, auditor_of, marked_caller, read_auditor
from taxiway.serving.client import GatewayClient
from taxiway_ui.audits.task import send_audit


def test_a_label_of_an_audit_names_its_person_and_two_who_disagree_are_a_conflict(gateway: Running, model: str) -> None:
    row = asked(gateway, model)

    def send_as(person: str, label: int) -> tuple[int, int, int, list[int]]:
        return counts(send(gateway, model, [{"request_id": row, "label": label}], **auditor_header(person)))

    assert send_as("Ann/ä", 1) == (1, 0, 0, [])
    assert send_as("bob", 1) == (0, 0, 1, []), "they agree"
    refused = send(gateway, model, [{"request_id": row, "label": 2}], **auditor_header("bob")).json()["refused"]
    assert refused == [
        {"index": 0, "reason": "its label is 2, and Ann/ä has labelled the row as 1, which stands; agree on one"}
    ]
    assert send_as("Ann/ä", 3) == (0, 1, 0, []), "a person corrects a label of her own"
    assert stored(gateway, model) == [(row, 0, "1", 1.0, "audit/admin/Ann/ä"), (row, 0, "3", 3.0, "audit/admin/Ann/ä")]
    send(gateway, model, [{"request_id": row, "label": 2}])
    assert send_as("bob", 4) == (0, 0, 0, [0]), "a system has sent the label, which is no guess"


def test_rows_of_an_audit_are_left_out_of_an_export_unless_they_are_asked_for(
    gateway: Running, model: str, tmp_path: Path
) -> None:
    """A gate that had them among its evaluation rows would decide by labels that have decided to train again."""
    audited, sent, free = (asked(gateway, model) for _ in range(3))
    file = tmp_path / "labels.csv"
    file.write_bytes(csv_of([{"request_id": audited, "row": "0", "input.x": "0.5", "label": "1"}]))
    done = send_file(gateway, model, file, "--by", "ann")
    assert done.stdout == "1 label recorded, 0 corrected, 0 known already\n", done.output
    send(gateway, model, [{"request_id": each, "label": 0} for each in (audited, sent)])  # the outcome comes later, too
    assert stored(gateway, model)[0] == (audited, 0, "1", 1.0, "audit/admin/ann")

    def exported(*more: str) -> tuple[set[str], str]:
        out = tmp_path / f"rows{len(more)}.parquet"
        folder = str(gateway.state / "log")
        result = CliRunner().invoke(main, ["log", "export", model, "--log", folder, "-o", str(out), *more])
        assert result.exit_code == 0, result.output
        return {found for (found,) in duckdb.sql(f"SELECT \"served.request_id\" FROM '{out}'").fetchall()}, result.stderr

    rows, told = exported()
    assert rows == {sent, free}
    assert told == "1 row left out, labelled for an audit; to write them, too: --with-audits\n"
    assert exported("--with-audits") == ({audited, sent, free}, "")


def test_a_file_without_inputs_is_no_audit(gateway: Running, model: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(csv_of([{"request_id": asked(gateway, model), "label": "1"}]))
    refused = send_file(gateway, model, file, "--by", "ann")
    assert "--by is for a CSV file of taxiway audit" in refused.output
    send_file(gateway, model, file)
    assert [caller for *_, caller in stored(gateway, model)] == ["admin"]


@pytest.mark.parametrize("value", ["", "%20", "a%0Ab", "x" * 101])
def test_a_person_has_a_name(value: str) -> None:
    with pytest.raises(RequestError, match="X-Taxiway-Auditor"):
        read_auditor(value)


def test_the_mark_is_told_apart_from_the_name_of_a_caller() -> None:
    assert auditor_of(marked_caller("admin", "a/b")) == "a/b"
    assert auditor_of(marked_caller("audit", "")) == ""


def test_the_client_sends_the_person(gateway: Running, model: str) -> None:
    body = f"request_id,label\n{asked(gateway, model)},1\n".encode()
    with GatewayClient(gateway.url, ADMIN) as client:
        assert client.send_labels(model, body, "text/csv", auditor="ann")["recorded"] == 1
    assert stored(gateway, model)[-1][-1] == "audit/admin/ann"


def test_the_page_sends_labels_with_the_name_of_the_user(gateway: Running, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people who have the same rows on their pages: the second one is told which rows the first has labelled differently."""
    connection = {"conn_type": "taxiway_gateway", "host": gateway.url, "password": ADMIN}
    monkeypatch.setenv("AIRFLOW_CONN_TAXIWAY_GATEWAY", json.dumps(connection))
    rows = [asked(gateway, model) for _ in range(3)]
    fields = {f"label:{row}:0": str(at) for at, row in enumerate(rows)}
    first = send_audit(model, {"token": "t", "after": "", **fields}, "ann")
    assert (first.recorded, first.taken, first.refused) == (3, "3 labels", ())
    second = send_audit(model, {**fields, f"label:{rows[1]}:0": "7", f"label:{rows[2]}:0": ""}, "bob")
    assert (second.recorded, second.unchanged) == (0, 1)
    assert second.refused == (
        f"row 0 of request {rows[1]}: its label is 7, and ann has labelled the row as 1, which stands; agree on one",
    )
    assert {caller for *_, caller in stored(gateway, model)} == {"audit/admin/ann"}
