import taxiway

records = taxiway.run("dags/flights/late_arrivals.pipeline.yaml", until="validate_model")
if records.report is not None:
    for anomaly in records.report.anomalies:
        print(anomaly.severity, anomaly.message)
if records.verdict is not None:
    print(records.verdict.status, *(reason.message for reason in records.verdict.reasons), sep="\n")
