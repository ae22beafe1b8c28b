from datetime import datetime

from airflow.sdk import DAG

from taxiway.operators import BatchPredictOperator

with DAG("flights.score_by_hand", schedule="@daily", start_date=datetime(2013, 1, 1), catchup=False) as dag:
    BatchPredictOperator(
        task_id="files",
        model="flights.late_arrivals",
        data="{data}/flights/{{ ds }}.parquet",
        output_folder="{data}/predictions/files/{{ ds }}",
        keys=["flight_id"],
    )
    BatchPredictOperator(
        task_id="query",
        model="flights.late_arrivals@challenger",
        connection="warehouse",
        data="SELECT * FROM departures WHERE day = '{{ ds }}' ORDER BY flight_id",
        output_folder="{data}/predictions/query/{{ ds }}",
        keys=["flight_id"],
    )
