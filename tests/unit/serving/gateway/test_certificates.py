"""HTTPS: the certificate of a gateway, and its renewal."""

import asyncio
import os
import socket
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from running import ADMIN, CALLER

from helping import PATIENCE_S, until
from taxiway.cli.main import main
from taxiway.serving.gateway.http.certificates import follow_certificate


def written(folder: Path, number: int) -> tuple[Path, Path]:
    """A self-signed certificate of localhost with this serial number, and its key; both replace what is there."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), number, now - timedelta(days=1), now + timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for file, content in (("key.pem", private), ("cert.pem", certificate.public_bytes(serialization.Encoding.PEM))):
        (folder / f"{file}.new").write_bytes(content)
        (folder / f"{file}.new").replace(folder / file)
    return folder / "cert.pem", folder / "key.pem"


def serial_number(port: int) -> int:
    """The serial number of the certificate that a server shows."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode()).serial_number


def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, 1001)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def renewed(port: int) -> None:
        assert serial_number(port) == 1001
        written(tmp_path, 1002)
        until(lambda: serial_number(port) == 1002, "the renewed certificate is used, and no connection fails")
        certificate.write_text("half a file")
        assert serial_number(port) == 1002
        written(tmp_path, 1003)
        until(lambda: serial_number(port) == 1003, "the certificate after the broken one is used")

    async def scenario() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", ssl=context)
        following = asyncio.create_task(follow_certificate(context, certificate, key, poll_s=0.02))
        async with server:
            await asyncio.to_thread(renewed, server.sockets[0].getsockname()[1])
        following.cancel()

    asyncio.run(scenario())


def serving(tmp_path: Path, *options: str) -> subprocess.Popen[bytes]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    (tmp_path / "port").write_text(port)
    command = (sys.executable, "-m", "taxiway.cli", "serve", "--tracking-uri", "http://127.0.0.1:9", "--port", port)
    environment = {**os.environ, "TAXIWAY_CALLER_TOKEN": CALLER, "TAXIWAY_ADMIN_TOKEN": ADMIN}
    state = ("--state", str(tmp_path / "state"))
    with (tmp_path / "output").open("wb") as output:
        return subprocess.Popen((*command, *state, *options), env=environment, stdout=output, stderr=output)


def test_the_command_serves_https(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, 7)
    process = serving(tmp_path, "--tls-certificate", str(certificate), "--tls-key", str(key))
    url = f"https://localhost:{(tmp_path / 'port').read_text()}/ping"

    def up() -> bool:
        assert process.poll() is None, (tmp_path / "output").read_text()
        try:
            return httpx.get(url, verify=ssl.create_default_context(cafile=str(certificate))).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(up, "the gateway answers over HTTPS")
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_a_certificate_that_is_none_ends_the_command(tmp_path: Path) -> None:
    certificate, key = written(tmp_path, 7)
    certificate.write_text("nothing")
    process = serving(tmp_path, "--tls-certificate", str(certificate), "--tls-key", str(key))
    assert process.wait(PATIENCE_S) == 3
    output = (tmp_path / "output").read_text()
    assert f"the certificate {certificate} and its key {key} cannot be used" in output
    assert "Traceback" not in output


def test_a_certificate_without_its_key_is_a_usage_error(tmp_path: Path) -> None:
    certificate, _ = written(tmp_path, 7)
    options = (
        "--tracking-uri",
        "http://127.0.0.1:9",
        "--state",
        str(tmp_path / "state"),
        "--tls-certificate",
        str(certificate),
    )
    found = CliRunner(env={"TAXIWAY_CALLER_TOKEN": CALLER, "TAXIWAY_ADMIN_TOKEN": ADMIN}).invoke(main, ["serve", *options])
    assert found.exit_code == 2
    assert "belong together" in found.output
