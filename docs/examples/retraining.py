"""Decide whether to train again, on what is known of a champion in the newest week."""

from datetime import UTC, datetime, timedelta

from taxiway.monitoring.retraining import decide
from taxiway.monitoring.retraining.evidence import Evidence
from taxiway.monitoring.retraining.expected_gain import Training
from taxiway.records import Interval
from taxiway.spec.monitor import RetrainingPolicy

policy = RetrainingPolicy(min_gain=0.01, new_labels=50_000, cooldown=timedelta(days=14))
evidence = Evidence(
    at=datetime(2013, 6, 17, tzinfo=UTC),
    metric="roc_auc",
    reference=Interval(value=0.648, low=0.638, high=0.657, rows=27_075),
    realised=Interval(value=0.598, low=0.577, high=0.619, rows=11_002),
    new_labels=30_216,
    trainings=[Training(datetime(2013, 6, 1, tzinfo=UTC))],
)
decision = decide(policy, evidence)
print(decision.message)
