"""Loads a renewed TLS certificate into a running server."""

import asyncio
import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)

_POLL_S = 10.0


async def follow_certificate(context: ssl.SSLContext, certificate: Path, key: Path, poll_s: float = _POLL_S) -> None:
    """Load the files again whenever one of them changes, until cancelled; new connections then use the new certificate.

    It runs in the event loop of the server: in a thread, a handshake could begin with the new certificate and the old key. Files that
    cannot be loaded, such as a certificate whose key is not written yet, are tried again; until then the old ones are used.

    Args:
        context: The TLS context of the server, which has loaded the files.
        certificate: The certificate chain in PEM.
        key: Its key.
        poll_s: The seconds between two looks at the files.
    """
    used, failed = _identity(certificate, key), None
    while True:
        await asyncio.sleep(poll_s)
        found = _identity(certificate, key)
        if found == used:
            continue
        try:
            _load(context, certificate, key)
        except OSError as error:  # among them ssl.SSLError
            if failed != found:
                log.warning("the renewed certificate %s cannot be used yet: %s", certificate, error)
            failed = found
        else:
            used, failed = found, None
            log.info("the renewed certificate %s is used for new connections", certificate)


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    # Tried on another context first: a certificate without its key would stay in the context.
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    context.load_cert_chain(certificate, key)


def _identity(*files: Path) -> tuple[tuple[int, int, int] | None, ...]:
    return tuple(_stat(file) for file in files)


def _stat(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
