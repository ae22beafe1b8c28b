"""The OpenAPI document is valid, has only what a caller may use, and its schemas and examples are what the gateway takes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.openapi.models import OpenAPI
from jsonschema import Draft202012Validator
from mlflow import MlflowClient
from real_models import serve
from running import ADMIN, CALLER, Running

from helping import until
from taxiway.cli.main import main
from taxiway.serving.gateway.feedback.given import MEDIA_TYPES
from taxiway.serving.gateway.openapi.document import DescribedModel, openapi_document
from taxiway.serving.gateway.openapi.model_inputs import Column, ModelInputs, read_model_inputs

MLMODEL = """
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}, {"type": "array", "items": {"type": "string"}, "name": "tags",
    "required": false}]'
"""


@pytest.fixture(scope="module")
def served(
    mlflow_url: str, registry: MlflowClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, str, str]]:
    gateway, typed, plain = serve(mlflow_url, registry, tmp_path_factory.mktemp("served"))
    yield gateway, typed, plain
    gateway.stop()


def document(gateway: Running, token: str = CALLER) -> dict[str, Any]:
    answer = gateway.http.get(f"{gateway.url}/openapi.json", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    OpenAPI.model_validate(answer.json())
    found: dict[str, Any] = answer.json()
    return found


def validator(found: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of a schema of the document, whose references are resolved in it."""
    whole = {"components": found["components"], **schema}
    Draft202012Validator.check_schema(whole)
    return Draft202012Validator(whole)


def predict_route(found: dict[str, Any], model: str) -> dict[str, Any]:
    route: dict[str, Any] = found["paths"][f"/models/{model}/invocations"]["post"]
    return route


def test_the_document_is_valid_and_every_reference_of_it_exists(served: tuple[Running, str, str]) -> None:
    found = document(served[0])
    assert found["openapi"] == "3.1.0"
    for schema in found["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    texts = json.dumps(found).split('"$ref": "#/components/schemas/')[1:]
    assert {text.partition('"')[0] for text in texts} <= set(found["components"]["schemas"])
    assert '"$ref": "#/$defs' not in json.dumps(found)


def test_examples_are_answered_and_everything_fits_its_schema(served: tuple[Running, str, str]) -> None:
    gateway, *models = served
    found = document(gateway)
    for model in models:
        route = predict_route(found, model)
        content = route["requestBody"]["content"]
        assert set(content) == {"application/json", "text/csv", "application/vnd.apache.arrow.stream"}
        request = validator(found, content["application/json"]["schema"])
        response = validator(found, route["responses"]["200"]["content"]["application/json"]["schema"])
        example = content["application/json"]["example"]
        (row,) = example["dataframe_records"]
        split = {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}
        for body in (example, split, {"instances": [row]}, {"inputs": [row]}, {"inputs": {name: [row[name]] for name in row}}):
            request.validate(body)
            answer = gateway.post(model, body)
            assert answer.status_code == 200, answer.text
            response.validate(answer.json())
        headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": "text/csv"}
        url = f"{gateway.url}/models/{model}/invocations"
        csv = gateway.http.post(url, content=content["text/csv"]["example"], headers=headers)
        assert csv.json() == gateway.post(model, example).json()
        without = {"dataframe_records": [{name: row[name] for name in list(row)[1:]}]}
        assert not request.is_valid(without)
        missing = {"dataframe_records": [dict.fromkeys(row)]}
        request.validate(missing)
        assert gateway.post(model, missing).status_code == 200
        refused = gateway.post(model, without)
        assert refused.status_code == 400
        validator(found, {"$ref": "#/components/schemas/Error"}).validate(refused.json())


def test_the_schema_says_the_classes_and_that_values_may_be_missing(served: tuple[Running, str, str]) -> None:
    schemas = document(served[0])["components"]["schemas"]
    typed, plain = (schemas[f"{model}.row"]["properties"] for model in served[1:])
    assert typed["seats"] == {"type": ["integer", "null"]}
    assert typed["day"] == {"type": ["string", "null"], "format": "date"}
    assert typed["left_at"]["anyOf"] == [{"format": "date"}, {"format": "date-time"}]
    assert plain["code"] == {"type": ["string", "null"]}
    assert schemas[f"{served[1]}.predictions"]["properties"]["classes"] == {"const": ["False", "True"]}
    assert schemas[f"{served[1]}.predictions"]["properties"]["threshold"] == {"const": 0.3}


def test_a_caller_sees_only_the_models_and_routes_that_it_may_use(served: tuple[Running, str, str]) -> None:
    gateway, typed, plain = served
    for name, options, models, suffixes in (
        ("one-model", ["--model", plain], [plain], ("", "/invocations")),
        ("scraper", ["--scope", "metrics"], [plain, typed], ("",)),
        ("analyst", ["--scope", "predict", "--scope", "explain"], [plain, typed], ("", "/invocations")),
        ("labeller", ["--scope", "feedback"], [plain, typed], ("", "/feedback")),
    ):
        result = CliRunner().invoke(main, ["caller", "add", name, "--state", str(gateway.state), *options])
        token = result.stdout.strip()
        ask = {"Authorization": f"Bearer {token}"}
        until(lambda ask=ask: gateway.http.get(f"{gateway.url}/models", headers=ask).status_code == 200, "the token is known")
        found = document(gateway, token)
        named = [path for path in found["paths"] if path.startswith("/models/")]
        assert named == [f"/models/{model}{suffix}" for model in models for suffix in suffixes]
        assert (typed in json.dumps(found)) == (typed in models)
        assert ('"name": "explain"' in json.dumps(found)) == (name == "analyst")
        assert ("/metrics" in found["paths"]) == (name == "scraper")


def test_labels_are_taken_as_the_document_says(served: tuple[Running, str, str]) -> None:
    gateway, *models = served
    found = document(gateway, ADMIN)
    for model in models:
        example = predict_route(found, model)["requestBody"]["content"]["application/json"]["example"]
        request_id = gateway.post(model, example).headers["X-Taxiway-Request-Id"]
        route = found["paths"][f"/models/{model}/feedback"]["post"]
        content = route["requestBody"]["content"]
        assert set(content) == set(MEDIA_TYPES)
        (label,) = content["application/json"]["example"]["labels"]
        request = validator(found, content["application/json"]["schema"])
        body = {"labels": [{**label, "request_id": request_id}, {"key": {"seats": 3}, "label": label["label"]}, label]}
        request.validate(body)
        assert not request.is_valid({"labels": [{**label, "key": {"seats": 3}}]})
        headers = {"Authorization": f"Bearer {ADMIN}"}
        answer = gateway.http.post(f"{gateway.url}/models/{model}/feedback", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["recorded"] >= 1
        validator(found, route["responses"]["200"]["content"]["application/json"]["schema"]).validate(answer.json())
        text = content["text/csv"]["example"].replace(label["request_id"], request_id)
        answer = gateway.http.post(
            f"{gateway.url}/models/{model}/feedback", content=text, headers=headers | {"Content-Type": "text/csv"}
        )
        assert answer.json()["unchanged"] == 1


def test_a_model_without_a_signature_or_a_champion_is_described_without_columns(tmp_path: Path) -> None:
    odd = 'a/b {c} "d"'
    found = openapi_document("1", [DescribedModel(odd), DescribedModel("a_b")], lambda _: True)
    OpenAPI.model_validate(found)
    assert "/models/a%2Fb%20%7Bc%7D%20%22d%22/invocations" in found["paths"]
    assert len([name for name in found["components"]["schemas"] if name.endswith(".row")]) == 2
    for content in ("", "[", 'signature: {inputs: \'[{"type": "object", "name": "x"}]\'}', "signature: {inputs: null}"):
        (tmp_path / "MLmodel").write_text(content)
        assert read_model_inputs(tmp_path) == ModelInputs()
    assert read_model_inputs(tmp_path / "nowhere") == ModelInputs()


def test_an_example_is_made_from_the_signature_and_has_no_training_data(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(f"{MLMODEL}saved_input_example_info: {{artifact_path: input_example.json}}\n")
    (tmp_path / "input_example.json").write_text('[{"x": 2.5, "tags": ["secret"]}]')
    found = read_model_inputs(tmp_path)
    assert found.columns == (
        Column("x", "double", is_list=False),
        Column("tags", "string", is_list=True),
    )
    assert found.example == {"x": 1.5, "tags": ["text"]}
    assert found.columns[1].schema == {"type": ["array", "null"], "items": {"type": ["string", "null"]}}
    described = openapi_document("1", [DescribedModel("m", 1, found)], lambda _: True)
    assert "text/csv" not in described["paths"]["/models/m/invocations"]["post"]["requestBody"]["content"]
