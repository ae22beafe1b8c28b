"""One stack of docker-compose.yml for all tests of this folder."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what the tests of this folder share

from composed import DAG, Composed, composed, write_span
from engine import REPOSITORY, require_engine


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, until_group_ends: ExitStack) -> Composed:
    """The stack, with the project's pipelines and one whose challengers are in containers."""
    require_engine()
    data, dags = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("dags")
    shutil.copytree(REPOSITORY / "dags", dags, dirs_exist_ok=True)
    shutil.copytree(Path(__file__).parent / "dags", dags, dirs_exist_ok=True)
    for folder in (data, dags):
        folder.chmod(0o755)  # the services are another user
    return until_group_ends.enter_context(composed(tmp_path_factory.mktemp("compose"), dags, data))


@pytest.fixture(scope="session")
def first(stack: Composed) -> str:
    """The first run of the pipeline, to its end: a champion of two spans."""
    for span in (1, 2):
        write_span(stack, span)
    api = stack.api
    api.wait_for_dag(DAG)
    run = api.trigger(DAG, {})
    for _ in api.follow(DAG, run):
        pass
    assert api.run_state(DAG, run) == "success"
    return run
