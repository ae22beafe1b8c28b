"""One stack of docker-compose.yml for all tests of this folder."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for what the tests of this folder share

from composed import Composed, composed
from engine import REPOSITORY, require_engine


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, until_group_ends: ExitStack) -> Composed:
    """The stack with January to May of the flights as raw data."""
    require_engine()
    from taxiway.demo.flights import flights_by_month, write_span

    data = tmp_path_factory.mktemp("data")
    for month, rows in flights_by_month().items():
        if month <= "2013-05":
            write_span(rows, data / "flights", month)
    dags = tmp_path_factory.mktemp("dags")
    shutil.copytree(REPOSITORY / "dags", dags, dirs_exist_ok=True)
    shutil.copytree(Path(__file__).parent / "dags", dags, dirs_exist_ok=True)
    for folder in (data, dags):
        folder.chmod(0o755)  # the services are another user
    return until_group_ends.enter_context(composed(tmp_path_factory.mktemp("compose"), dags, data))
