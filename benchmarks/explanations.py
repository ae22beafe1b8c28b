"""How long an explanation of predictions takes, as a multiple of the prediction, and whether others wait for it.

    python benchmarks/explanations.py

One gateway serves boosted trees of the flights. The ratios are to the request without `explain=true` in the same run.
"""

import json
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import httpx
from serving_stack import ADMIN, CATEGORICAL, MODEL, NUMERIC, gateway_server, mlflow_server, register_two, until

from taxiway.demo.flights import flights_by_month

REPEATS = 200


def timed(http: httpx.Client, url: str, body: str, repeats: int = REPEATS) -> list[float]:
    """The seconds of each of some requests, one after the other."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        answer = http.post(url, content=body, headers={"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"})
        found.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise SystemExit(f"{url} answered {answer.status_code}: {answer.text}")
    return found


def main() -> None:
    """Measure and print."""
    months = flights_by_month()
    rows = json.loads(months["2013-06"][[*NUMERIC, *CATEGORICAL]].head(100).to_json(orient="records"))
    with tempfile.TemporaryDirectory() as name, mlflow_server(Path(name)) as mlflow:
        register_two(mlflow.url, months)
        with gateway_server(Path(name), mlflow.url, [MODEL]) as gateway, httpx.Client(timeout=60) as http:
            url = f"{gateway.url}/models/{MODEL}/invocations"
            status = f"{gateway.url}/models/{MODEL}"
            headers = {"Authorization": f"Bearer {ADMIN}"}
            until(lambda: http.get(status, headers=headers).json().get("champion") == 1, "the champion answers", 120)
            one, hundred = (json.dumps({"dataframe_records": rows[:count]}) for count in (1, 100))
            (first,) = timed(http, f"{url}?explain=true", one, 1)
            print(f"first explanation, with the start of the process: {first:.2f} s")
            for what, body in (("1 row", one), ("100 rows", hundred)):
                plain, explained = median(timed(http, url, body)), median(timed(http, f"{url}?explain=true", body))
                print(
                    f"{what}: predicted in {plain * 1e3:.2f} ms, explained in {explained * 1e3:.2f} ms, {explained / plain:.1f} times"
                )
            alone = sorted(timed(http, url, one, 1000))
            stop = threading.Event()
            other = threading.Thread(target=timed_until, args=(stop, f"{url}?explain=true", hundred))
            other.start()
            beside = sorted(timed(http, url, one, 1000))
            stop.set()
            other.join()
            for share in (0.5, 0.99):
                at = int(share * 1000)
                print(
                    f"p{share * 100:.0f} of predictions beside explanations without pause: {beside[at] * 1e3:.2f} ms, "
                    f"{beside[at] / alone[at]:.2f} times that alone"
                )


def timed_until(stop: threading.Event, url: str, body: str) -> None:
    """Ask for explanations until told to stop."""
    with httpx.Client(timeout=60) as http:
        while not stop.is_set():
            timed(http, url, body, 1)


if __name__ == "__main__":
    main()
