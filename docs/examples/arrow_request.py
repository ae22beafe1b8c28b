"""Predict for the rows of a table, which is sent as an Arrow stream."""

import os

import httpx
import pyarrow as pa

rows = pa.table({"carrier": ["US", "AA"], "code": ["007", "7"], "distance": [529.0, None]})
sink = pa.BufferOutputStream()
with pa.ipc.new_stream(sink, rows.schema) as stream:
    stream.write_table(rows)

url = f"{os.environ['GATEWAY']}/models/{os.environ['MODEL']}/invocations"
token = os.environ["TAXIWAY_CALLER_TOKEN"]
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/vnd.apache.arrow.stream"}
answer = httpx.post(url, content=sink.getvalue().to_pybytes(), headers=headers)
answer.raise_for_status()
print(answer.json()["predictions"])
