"""The callers that a running gateway knows: those of its settings, and those of the file in its state folder."""

from datetime import UTC, datetime
from pathlib import Path

from taxiway.errors import ConfigError
from taxiway.serving.callers import FILE, Caller, Scope, Token, digest_of_token, read_callers
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.gateway.settings import GatewaySettings


class KnownCallers:
    """Finds the caller of a token.

    Args:
        settings: The settings of the gateway, with the tokens of the two callers `caller` and `admin`.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._folder: Path = settings.state_folder
        self._problems = Problems("callers")
        self._own = (
            Caller(name="admin", scopes=(Scope.ADMIN,), tokens=(_token(settings.admin_token.get_secret_value()),)),
            Caller(name="caller", tokens=(_token(settings.caller_token.get_secret_value()),)),
        )
        self._by_digest = _by_digest(self._own)
        self._seen: tuple[int, ...] | None = None
        self.reload()

    @property
    def problem(self) -> str:
        """Why changes of callers are not followed; empty if they are."""
        return self._problems.text

    def of(self, token: bytes) -> Caller | None:
        """The caller with this token; None if there is none, or if the token has ended.

        Tokens are compared by their SHA-256, so the time that it takes says nothing about a token.
        """
        found = self._by_digest.get(digest_of_token(token))
        if found is None:
            return None
        caller, known = found
        return caller if known.valid_until is None or datetime.now(UTC) < known.valid_until else None

    def reload(self) -> None:
        """Read the file again if it has changed. While it cannot be read, the callers that were read last stay."""
        seen = self._identity()
        if seen == self._seen:
            return
        try:
            callers = read_callers(self._folder)
        except ConfigError as error:
            self._problems.begin("file", f"changes of the callers are not followed: {error}")
            return
        self._problems.end("file")
        self._seen = seen
        self._by_digest = _by_digest((*callers, *self._own))

    def _identity(self) -> tuple[int, ...]:
        try:
            found = (self._folder / FILE).stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size


def _token(token: str) -> Token:
    return Token(digest=digest_of_token(token.encode()))


def _by_digest(callers: tuple[Caller, ...]) -> dict[str, tuple[Caller, Token]]:
    return {token.digest: (caller, token) for caller in callers for token in caller.tokens}
