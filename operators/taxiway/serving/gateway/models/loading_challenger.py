"""One challenger of a model, from the beginning of its loading to the end of its workers. Which one there is, is not decided here."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from taxiway.errors import ModelRefusedError, RequestError
from taxiway.serving.gateway.state.served import Lease
from taxiway.serving.gateway.version_server import VersionServer


class Challenger:
    """A challenger, which starts to load at once; `ready` is done when it has loaded or failed to.

    Args:
        lease: Who deployed it, and until when.
        loading: Loads it.
    """

    def __init__(self, lease: Lease, loading: Coroutine[Any, Any, VersionServer]) -> None:
        self.lease = lease
        self.ready = asyncio.create_task(loading)

    @property
    def server(self) -> VersionServer | None:
        """Serves the version; None until it has been loaded."""
        return self.ready.result() if self.ready.done() and self.load_error is None else None

    @property
    def load_error(self) -> BaseException | None:
        """Why the version could not be loaded; None if it has been, or is still loading."""
        if not self.ready.done():
            return None
        return asyncio.CancelledError("it was removed") if self.ready.cancelled() else self.ready.exception()

    @property
    def refused(self) -> bool:
        """Whether loading failed permanently: the version does not exist any more, or is not trusted, or its loader rejects it."""
        return isinstance(self.load_error, ModelRefusedError | RequestError)

    @property
    def expired(self) -> bool:
        """Whether the lease has expired."""
        return time.time() >= self.lease.expires_at


async def canceled(loading: "asyncio.Task[VersionServer]") -> None:
    """Cancel a challenger that is loading, and end its workers if it has loaded at the same time."""
    loading.cancel()
    (server,) = await asyncio.gather(loading, return_exceptions=True)
    if isinstance(server, VersionServer):
        server.kill()
        await server.wait_closed()
