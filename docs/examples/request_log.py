"""Count the requests of each day and version, from the Parquet files of the request log."""

import duckdb

requests = duckdb.read_parquet("log/requests/*/*/*.parquet", union_by_name=True, hive_partitioning=True)
counts = duckdb.sql(
    "SELECT model, day, champion_version, count(DISTINCT request_id) AS requests, avg(prediction_value) AS mean "
    "FROM requests GROUP BY ALL ORDER BY ALL"
).df()
print(counts.to_csv(index=False))
