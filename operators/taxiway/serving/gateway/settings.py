"""What a gateway is told at its start. Reading it from the environment or from files is the command line's work."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

_MIN_TOKEN_LENGTH = 16


class GatewaySettings(BaseModel):
    """The settings of one gateway process; sizes in bytes, times in seconds.

    `models` are followed from the start, next to those that `state_folder` remembers. Each model side runs `workers`
    processes. `loader` is `module:function` of (tracking URI, model, version) and returns a pyfunc model; it runs in the worker.
    `queue_limit` requests may wait for a champion before more are refused; `mirror_limit` calls for a challenger before more are
    dropped. The log keeps the newest `keep_rows` requests. `stop_with_parent` ends the gateway when who started it is gone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracking_uri: str = Field(pattern=r"^https?://")
    state_folder: Path
    caller_token: SecretStr
    admin_token: SecretStr
    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = Field(default=8500, ge=1, le=65535)
    workers: int = Field(default=1, ge=1)
    loader: str = Field(default="taxiway.registry.models:load_trusted", pattern=r"^[\w.]+:\w+$")
    poll_s: float = Field(default=1.0, gt=0)
    load_timeout_s: float = Field(default=120.0, gt=0)
    predict_timeout_s: float = Field(default=30.0, gt=0)
    max_body_bytes: int = Field(default=2 << 20, gt=0)
    queue_limit: int = Field(default=1000, ge=1)
    mirror_limit: int = Field(default=200, ge=1)
    keep_rows: int = Field(default=1_000_000, ge=1)
    stop_with_parent: bool = False

    @model_validator(mode="after")
    def _two_real_tokens(self) -> "GatewaySettings":
        for name in ("caller_token", "admin_token"):
            if len(getattr(self, name).get_secret_value()) < _MIN_TOKEN_LENGTH:
                raise ValueError(f"{name} is too short; give at least {_MIN_TOKEN_LENGTH} characters")
        if self.caller_token.get_secret_value() == self.admin_token.get_secret_value():
            raise ValueError("caller_token and admin_token are the same; give two, or every caller could change the challenger")
        return self
