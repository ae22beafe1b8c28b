"""Keys of labels find the rows of requests by the former and the present name of a column, hashed or not."""

import asyncio
import json
from pathlib import Path

import pytest

from taxiway.errors import RequestError
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.feedback import predictions as found_predictions
from taxiway.serving.gateway.feedback.given import GivenLabel
from taxiway.serving.gateway.feedback.matched import Matched, match_labels
from taxiway.serving.gateway.feedback.predictions import Predictions
from taxiway.serving.gateway.rolling.roll import private_columns, roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog

VERSIONS = {
    1: LoggedVersion(ModelColumns((), ("carr",))),
    2: LoggedVersion(ModelColumns((), ("carrier",), renamed={"carr": "carrier"})),
    3: LoggedVersion(ModelColumns((), ("Carrier",))),
}


def test_identical_keys_are_looked_up_once_and_keys_of_too_many_rows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_settings(tmp_path, RollSettings(folder=tmp_path / "log"))
    log = RequestLog(tmp_path, keep_rows=100, keep_bytes=1 << 30)
    body = json.dumps({"dataframe_records": [{"carr": "UA", "order": order} for order in range(50)]})

    async def add() -> None:
        await log.add([LoggedRequest("r", 0.0, "m", body, "c", 1, 200, json.dumps([1] * 50), "", 1.0, None, None, None)])

    asyncio.run(add())
    log.close()

    def matched(*keys: dict[str, object]) -> Matched:
        labels = [{"key": key, "label": at} for at, key in enumerate(keys)]
        return match_labels(tmp_path, "m", (), json.dumps({"labels": labels}).encode(), "application/json")

    monkeypatch.setattr(found_predictions, "MAX_ROWS_OF_KEYS", 60)
    found = matched(*[{"carr": "UA"}] * 1000)
    assert {label.label for label in found.new} == {"999"}, "the last one counts"
    assert len(found.new) == 50
    monkeypatch.setattr(found_predictions, "MAX_ROWS_OF_KEYS", 49)
    with pytest.raises(RequestError, match=r'keys of the columns "carr" are those of more than 49 predicted rows') as error:
        matched({"carr": "UA"})
    assert error.value.status == 413
    assert not matched({"order": 10**400}, {"order": 7}).refused.keys() - {0}


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("hashed", [(), ("carr",), ("carrier",)])
def test_a_key_may_have_the_former_or_the_present_name(tmp_path: Path, hashed: tuple[str, ...], rolled: bool) -> None:
    settings = RollSettings(folder=tmp_path / "log", hash_columns=hashed)
    store_settings(tmp_path, settings)
    log = RequestLog(tmp_path, keep_rows=100, keep_bytes=1 << 30)
    for number, version in VERSIONS.items():
        log.versions.note("m", number, version)
    sent = [(1, {"carr": "UA"}), (2, {"carr": "UA"}), (2, {"carrier": "UA", "order": 7}), (1, {"carr": "AA", "order": 8})]

    async def add() -> None:
        for at, (version, row) in enumerate(sent):
            body = json.dumps({"dataframe_records": [row]})
            await log.add([LoggedRequest(f"r{at}", 0.0, "m", body, "c", version, 200, "[1]", "", 1.0, None, None, None)])

    asyncio.run(add())
    log.close()
    if rolled:
        roll(tmp_path)
    predictions = Predictions(tmp_path, settings.folder, "m")
    private = private_columns(tmp_path, settings, predictions.renames())

    def found(**key: str) -> list[str]:
        labels = [GivenLabel(index=0, label=1, key=tuple(sorted(key.items())))]
        return [request for request, _, _ in predictions.by_key(labels, private).get(0, [])]

    assert found(carr="UA") == found(carrier="UA") == ["r0", "r1", "r2"]
    assert found(carr="AA") == ["r3"]
    assert found(order="7") == ["r2"]
    assert found(order="8", carrier="AA") == ["r3"]
    assert found(nothing="7") == []
