"""Two ASGI applications that serve the model of a folder with nothing around it: no log, no token, no other process.

`pyfunc` calls `predict` of MLflow's pyfunc model, as `mlflow models serve` does. `compiled` calls the gateway's compiled predictor, and is
the limit of what HTTP and this model allow. Run by uvicorn with `--factory`; the folder is in TAXIWAY_BENCHMARK_MODEL.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic_core import from_json
from serving_stack import MODEL_FOLDER

from taxiway.features.signature import example_rows
from taxiway.models.predictor import COMPILED, compiled_predictor
from taxiway.registry.load import load_folder

Records = list[dict[str, Any]]


def pyfunc() -> Any:
    """The application with MLflow's pyfunc `predict`."""
    model: Any = load_folder(Path(os.environ[MODEL_FOLDER]))
    return _application(lambda records: model.predict(records).to_dict(orient="records"))


def compiled() -> Any:
    """The application with the compiled predictor."""
    model = load_folder(Path(os.environ[MODEL_FOLDER]))
    predictor = compiled_predictor(model, example_rows(model))
    if not predictor.plan.startswith(COMPILED):
        raise SystemExit(f"the model is not compiled: {predictor.plan}")
    names = predictor.columns.names

    def predict(records: Records) -> Any:
        return predictor.predict({name: [record[name] for record in records] for name in names}).tolist()

    return _application(predict)


def _application(predict: Callable[[Records], Any]) -> Any:
    """An ASGI application that answers POST with predictions, and GET with an empty object."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = b"{}"
        if scope["method"] == "POST":
            predictions = predict(from_json(bytes(body))["inputs"])
            answer = json.dumps({"predictions": predictions}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return application
