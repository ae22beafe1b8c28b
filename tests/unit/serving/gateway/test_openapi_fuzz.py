"""Requests that Schemathesis makes from the OpenAPI document, valid and not: each is answered as the document says, none with a 5xx."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from mlflow import MlflowClient
from real_models import serve
from running import ADMIN, Running
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from helping import PATIENCE_S, examples

AS_DESCRIBED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WHOLLY_DESCRIBED = ("labels", "dataframe_records", "instances")
"""Bodies of which the schema says everything. It cannot say that lists have the same length, nor what CSV is."""


@pytest.fixture(scope="module")
def served(mlflow_url: str, registry: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    gateway, *_ = serve(mlflow_url, registry, tmp_path_factory.mktemp("served"))
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def schema(served: Running) -> schemathesis.BaseSchema:
    document = served.http.get(f"{served.url}/openapi.json", headers=BEARER).json()
    return schemathesis.openapi.from_dict(document)


BEARER = {"Authorization": f"Bearer {ADMIN}"}


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_answer_is_as_the_document_says(served: Running, schema: schemathesis.BaseSchema, mode: GenerationMode) -> None:
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue

        @settings(examples(100), suppress_health_check=[*HealthCheck])  # what it makes is not ours
        @given(case=operation.as_strategy(generation_mode=mode))
        def answered(case: Case) -> None:
            nonlocal asked
            asked += 1
            response = case.call(base_url=served.url, headers=BEARER, timeout=PATIENCE_S)
            case.validate_response(response, checks=AS_DESCRIBED)
            if (
                mode is GenerationMode.POSITIVE
                and case.media_type == "application/json"
                and not {*case.body}.isdisjoint(WHOLLY_DESCRIBED)
            ):
                assert response.status_code == (200 if "cannot be explained" not in response.text else 422), response.text

        answered()
    assert asked > 20
