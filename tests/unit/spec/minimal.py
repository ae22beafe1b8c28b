"""The shortest pipeline file, which tests extend and break."""

SOURCE = """\
pipeline: late_arrivals
team: flights
source:
  spans: "{data}/{YYYY}-{MM}.parquet"
  label: late
"""
REST = """\
schema: late.schema.yaml
model:
  estimator: sklearn.ensemble.HistGradientBoostingClassifier
gate:
  thresholds: {roc_auc: 0.6}
  against_champion: {metric: roc_auc}
"""
MINIMAL = SOURCE + REST
