"""An Airflow notifier that writes its messages to a file beside the data."""

import os
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    template_fields = ("message",)

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Any) -> None:
        with (Path(os.environ["AIRFLOW__TAXIWAY__DATA"]) / "messages.txt").open("a") as file:
            file.write(f"{self.message}\n")
