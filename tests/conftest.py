"""What all tests share: how they are ordered and ended, and the flights."""

import gc
import importlib.metadata
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import importlib_metadata
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# One stack and one MLflow server for all tests that need one, in whichever folder; modules of their own so that tests can name their
# types.
pytest_plugins = ["conftest_airflow", "conftest_mlflow"]

# Properties are tried on the same examples in every run, so a few are enough, and on forty times as many fresh ones by `make
# test-deep`. A slow machine is no mistake, and a folder or a store that the examples of a test share does no harm.
for profile, differs in {"fixed": {"derandomize": True, "max_examples": 25}, "deep": {"max_examples": 1000}}.items():
    unchecked = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    settings.register_profile(profile, deadline=None, database=None, suppress_health_check=unchecked, **differs)
settings.load_profile("fixed")

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
# Some images set it, and each of the hundreds of processes that tests start would compile all of our modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# MLflow looks for this package of Databricks on the whole path of imports before each of its requests.
sys.modules.setdefault("dbruntime", None)
# A run needs the versions of libraries fifty times, and the metadata of a package is parsed for each: a tenth of the run's time.
for module in (importlib.metadata, importlib_metadata):
    pytest.MonkeyPatch().setattr(module, "version", cache(module.version))
# Threads that spin while they wait for each other would make training ten times slower beside a running stack.
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ["OMP_NUM_THREADS"] = "1"  # the processes of the tests keep all cores busy
os.environ["OPENBLAS_THREAD_TIMEOUT"] = "4"
# With Airflow, MLflow and scikit-learn imported, each collection of all objects takes a quarter of a second, and there would be hundreds.
gc.set_threshold(50_000, 20, 100)


def pytest_sessionstart(session: pytest.Session) -> None:
    """End in order on SIGTERM as on SIGINT, also if the shell that started the tests in the background ignores that."""

    def interrupt(number: int, _: Any) -> None:
        session.shouldstop = f"signal {number}"  # Click's test runner catches the exception, and the next test would start
        raise KeyboardInterrupt

    if not hasattr(session.config, "workerinput"):  # the processes of xdist are ended by the one that started them
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, interrupt)


_ON_THEIR_OWN = ("test_new_span.py", "test_operators.py", "test_plain_airflow.py", "test_stack.py")
"""The files of tests/airflow that do not use the shared stack."""


def group_of(nodeid: str) -> str:
    """Tests that share a stack are a group, and so are those of any other file."""
    path = PurePath(nodeid.split("::")[0])
    stacks = {"airflow": "airflow", "browser": "airflow", "docker": "docker"}
    return str(path) if path.name in _ON_THEIR_OWN else stacks.get(path.parts[1] if len(path.parts) > 1 else "", str(path))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a stack, and run it first: the largest groups would be waited for at the end.

    The demonstration comes first of all: meanwhile the runs that other modules began early go on. The files that run whole pipelines
    or start gateways come before the many short ones, which fill what is left of the processes' time.
    """
    first = ("airflow", "docker")
    long = {Path(__file__).parent / "unit" / name for name in ("stages", "serving")}

    def order(item: pytest.Item) -> tuple[int, bool]:
        group = group_of(item.nodeid)
        later = len(first) + (group.startswith("tests/unit/") and long.isdisjoint(item.path.parents))
        return (first.index(group) if group in first else later), item.path.name != "test_demo.py"

    items.sort(key=order)


def pytest_collection_finish() -> None:
    """What has been imported so far stays, and is not searched for garbage again."""
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """If tests run in several processes, each group runs in one of them."""

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByGroup(config, log)


_STACKS = ExitStack()


@pytest.fixture(scope="session")
def until_group_ends() -> Iterator[ExitStack]:
    """What is entered here ends with the last test of its group, and not with the session: a stack slows down what runs after it."""
    with _STACKS:
        yield _STACKS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    yield
    if nextitem is None or group_of(nextitem.nodeid) != group_of(item.nodeid):
        _STACKS.close()


@pytest.fixture(scope="session")
def flights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flights of 2013-01 to 2013-06, a Parquet file a month."""
    from taxiway.demo.flights import flights_by_month, write_span

    folder = tmp_path_factory.mktemp("flights")
    for month, rows in flights_by_month().items():
        if month <= "2013-06":
            write_span(rows, folder, month)
    return folder
