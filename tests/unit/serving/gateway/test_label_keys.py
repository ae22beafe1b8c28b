"""Keys of labels find the rows of requests by the former and the present name of a column, hashed or not."""

import asyncio
import json
from pathlib import Path

import pytest

from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.feedback.given import GivenLabel
from taxiway.serving.gateway.feedback.predictions import Predictions
from taxiway.serving.gateway.rolling.roll import private_columns, roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import LoggedRequest, RequestLog

VERSIONS = {
    1: LoggedVersion(ModelColumns((), ("carr",))),
    2: LoggedVersion(ModelColumns((), ("carrier",), renamed={"carr": "carrier"})),
    3: LoggedVersion(ModelColumns((), ("Carrier",))),
}


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
