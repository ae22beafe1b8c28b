"""The kinds of stores that one suite of tests holds for: a local folder, memory, and an S3-compatible server."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from taxiway.store import Store

OpenStore = Callable[[], Store]


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The address of an S3-compatible server on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["local", "memory", "s3"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStore:
    """Opens one and the same store, as each process of an installation does."""
    if request.param != "s3":
        return lambda: Store(str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path}")
    settings = {"endpoint_url": request.getfixturevalue("s3_url"), "key": "test", "secret": "test"}
    monkeypatch.setitem(fsspec.config.conf, "s3", settings)
    url = f"s3://bucket-{uuid.uuid4().hex[:12]}/taxiway"
    fsspec.filesystem("s3").mkdir(url.removeprefix("s3://").partition("/")[0])
    return lambda: Store(url)


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
