"""What a local run reports while it is in progress."""


class Watcher:
    """Receives the progress of a run. This base class ignores it."""

    def started(self, url: str) -> None:
        """The run started; `url` is its page in MLflow."""

    def noticed(self, message: str) -> None:
        """A span waits for its labels, or what is known of its data has changed."""

    def began(self, stage: str) -> None:
        """A stage started."""

    def ended(self, stage: str, seconds: float, failure: str | None) -> None:
        """A stage ended; `failure` is why the pipeline stops there, None if it continues."""

    def stopped(self, reason: str) -> None:
        """The run stopped without an outcome."""
