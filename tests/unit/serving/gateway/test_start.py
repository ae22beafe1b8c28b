"""What `taxiway serve` refuses before any process of a model is started."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from taxiway.cli.main import main
from taxiway.serving.gateway.server import _require_free_port


def test_a_port_in_use_is_told_before_models_are_loaded(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            _require_free_port("127.0.0.1", port)
    assert ended.value.code == 3
    assert f"the gateway cannot listen at 127.0.0.1, port {port}: " in caplog.text
    _require_free_port("127.0.0.1", port)
    _require_free_port("localhost", port)


@pytest.mark.parametrize("host", ["203.0.113.1", "no.such.host.invalid"])
def test_an_address_that_is_not_of_this_machine_is_told(host: str) -> None:
    with pytest.raises(SystemExit):
        _require_free_port(host, 8080)


def test_the_port_may_be_taken_in_the_other_family() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        if socket.has_dualstack_ipv6():
            _require_free_port("::", taken.getsockname()[1])


def test_a_column_is_omitted_or_hashed(tmp_path: Path) -> None:
    tokens = {f"TAXIWAY_{name}_TOKEN": f"{name}-token-of-some-length" for name in ("CALLER", "ADMIN")}
    columns = ("--hash-column", "card", "--hash-column", "name", "--omit-column", "card")
    command = ("serve", "--tracking-uri", "http://127.0.0.1:9", "--state", str(tmp_path / "state"), *columns)
    result = CliRunner(env=tokens).invoke(main, command)
    assert result.exit_code == 2
    assert 'settings: "card" cannot be both omitted from the Parquet files and hashed in them' in result.output
