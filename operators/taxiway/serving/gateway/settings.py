"""The settings of a gateway; the command line reads them from its options and the environment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from taxiway.errors import ConfigError
from taxiway.ledger.keys import LedgerKeys
from taxiway.messages import listed
from taxiway.records.base import FrozenModel
from taxiway.serving.gateway.model_limits import MIN_MEMORY_MIB, ModelLimits
from taxiway.serving.gateway.rolling.settings import RollSettings
from taxiway.serving.protocol import LARGEST_LIMITS, USUAL_LIMITS, BodyLimits

_MIN_TOKEN_LENGTH = 16


class GatewaySettings(FrozenModel):
    """The settings of one gateway process.

    Attributes:
        tracking_uri: The MLflow server.
        state_folder: The folder of the request log, of what is served after a restart, and of copies of model versions.
        caller_token: Allows predictions and status.
        admin_token: Allows everything.
        ledger_keys: The keys that promotions must be signed with, separated by commas; empty if the installation does not sign.
        allow_unbacked_alias: Whether the version with the alias `champion` is served if the newest promotion in the ledger names
            another version, or if there is no promotion.
        models: The registered models to serve, in addition to those that the state folder remembers.
        host: The address to listen on.
        port: The port to listen on.
        tls_certificate: The file of the certificate chain in PEM; None for plain HTTP. A renewed file is used within about a minute.
        tls_key: The file of its key.
        workers: The worker processes per model version.
        worker_memory_bytes: How much memory a worker process may allocate; None for no limit.
        loader: `module:function` that loads a pyfunc model, given the folder of its files.
        code: The folder of trusted code, for models of a team's own class.
        poll_s: The seconds between two checks of aliases, leases and processes.
        load_timeout_s: How long loading a model may take, in seconds.
        predict_timeout_s: How long a predict call may take, in seconds.
        request_timeout_s: How long a client may take to send a request, in seconds.
        max_body_bytes: The size limit of a request's body, and of its rows as JSON.
        max_rows: How many rows a request may have.
        max_cells: How many cells it may have: its rows times its columns, with the items of lists.
        queue_limit: How many requests may wait for a champion before more are refused.
        mirror_limit: How many predict calls may wait for a challenger before more are dropped.
        model_limits: The limits of single models, instead of `workers`, `worker_memory_bytes`, `queue_limit` and `predict_timeout_s`.
        keep_rows: How many requests the log keeps, the newest ones; those that are not in the Parquet files yet are always kept.
        keep_bytes: How large the log may be, with the same exception; the oldest requests are deleted first.
        log_folder: The folder of the Parquet files of the log; None for `log` in the state folder.
        roll_every_s: The seconds between two times that the log is written to Parquet files.
        settle_s: A request that a challenger has not answered is written after so many seconds.
        keep_days: How many days of Parquet files are kept; None for all.
        omit_columns: The input columns that the Parquet files do not have.
        hash_columns: The input columns of which the Parquet files have a keyed hash.
        log: `sync` answers a request once it is in the log; `fast` answers before, see `RequestLog.may_answer_first`.
        log_format: Whether the gateway writes its own log to stderr as `text` or as `json`, one object per line.
        access_log: Whether that log has a line for each request for predictions.
        stop_with_parent: Whether the gateway ends when its parent process is gone.
    """

    tracking_uri: str = Field(pattern=r"^https?://")
    state_folder: Path
    caller_token: SecretStr
    admin_token: SecretStr
    ledger_keys: SecretStr = SecretStr("")
    allow_unbacked_alias: bool = False
    models: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = Field(default=8500, ge=1, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    workers: int = Field(default=1, ge=1)
    worker_memory_bytes: int | None = Field(default=None, ge=MIN_MEMORY_MIB << 20)
    code: Path | None = None
    loader: str = Field(default="taxiway.registry.load:load_folder", pattern=r"^[\w.]+:\w+$")
    poll_s: float = Field(default=1.0, gt=0)
    load_timeout_s: float = Field(default=120.0, gt=0)
    predict_timeout_s: float = Field(default=30.0, gt=0)
    request_timeout_s: float = Field(default=20.0, gt=0)
    max_body_bytes: int = Field(default=USUAL_LIMITS.max_bytes, ge=1024, le=LARGEST_LIMITS.max_bytes)
    max_rows: int = Field(default=USUAL_LIMITS.max_rows, ge=1, le=LARGEST_LIMITS.max_rows)
    max_cells: int = Field(default=USUAL_LIMITS.max_cells, ge=1, le=LARGEST_LIMITS.max_cells)
    queue_limit: int = Field(default=1000, ge=1)
    mirror_limit: int = Field(default=200, ge=1)
    model_limits: Mapping[str, ModelLimits] = Field(default_factory=dict)
    keep_rows: int = Field(default=1_000_000, ge=1)
    keep_bytes: int = Field(default=4 << 30, ge=1 << 20)
    log_folder: Path | None = None
    roll_every_s: float = Field(default=3600.0, gt=0)
    settle_s: float = Field(default=600.0, ge=0)
    keep_days: int | None = Field(default=365, ge=1)
    omit_columns: tuple[str, ...] = ()
    hash_columns: tuple[str, ...] = ()
    log: Literal["sync", "fast"] = "sync"
    log_format: Literal["text", "json"] = "text"
    access_log: bool = False
    stop_with_parent: bool = False

    def of_model(self, model: str) -> "GatewaySettings":
        """The settings with the limits of a model."""
        limits = self.model_limits.get(model)
        return self.model_copy(update=limits.settings) if limits else self

    @property
    def body_limits(self) -> BodyLimits:
        """How large a request may be."""
        return BodyLimits(self.max_body_bytes, self.max_rows, self.max_cells)

    @property
    def roll_settings(self) -> RollSettings:
        """How the log is written to Parquet files."""
        return RollSettings(
            folder=(self.log_folder or self.state_folder / "log").absolute(),
            settle_s=self.settle_s,
            keep_days=self.keep_days,
            omit_columns=self.omit_columns,
            hash_columns=self.hash_columns,
        )

    @field_validator("ledger_keys")
    @classmethod
    def _real_keys(cls, keys: SecretStr) -> SecretStr:
        try:
            LedgerKeys.parse(keys.get_secret_value())
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return keys

    @model_validator(mode="after")
    def _certificate_with_key(self) -> "GatewaySettings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together; give both for HTTPS, or neither")
        return self

    @model_validator(mode="after")
    def _omitted_or_hashed(self) -> "GatewaySettings":
        if both := sorted({*self.omit_columns} & {*self.hash_columns}):
            raise ValueError(
                f"{listed(both)} cannot be both omitted from the Parquet files and hashed in them; give one of the options"
            )
        return self

    @model_validator(mode="after")
    def _two_real_tokens(self) -> "GatewaySettings":
        for name in ("caller_token", "admin_token"):
            if len(getattr(self, name).get_secret_value()) < _MIN_TOKEN_LENGTH:
                raise ValueError(f"{name} is too short; required: at least {_MIN_TOKEN_LENGTH} characters")
        if self.caller_token.get_secret_value() == self.admin_token.get_secret_value():
            raise ValueError(
                "caller_token and admin_token are the same; use different tokens, or every caller could change what is served"
            )
        return self
