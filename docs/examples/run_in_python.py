import taxiway

records = taxiway.run("dags/flights/late_arrivals.pipeline.yaml", until="validate_model")
if records.report is not None:
    for anomaly in records.report.anomalies:
        print(anomaly.severity, anomaly.sentence)
if records.verdict is not None:
    print(records.verdict.status, *(reason.sentence for reason in records.verdict.reasons), sep="\n")
