"""The names of all tags that Taxiway sets in MLflow, and of those of MLflow and Airflow that it uses."""

# Of the MLflow run of a DAG run.
DAG_RUN = "taxiway.dag_run"
"""`DAG/RUN`: the key by which every task finds the run."""
PIPELINE = "taxiway.pipeline"
SPAN = "taxiway.span"
"""The span that the run decides, with its version: `2013-04 v2`."""
SPAN_NAME = "taxiway.span_name"
"""The name of that span without its version; a cleared run decides it again."""
CHANGED_SPANS = "taxiway.changed_spans"
"""Messages about spans that were decided with other content."""
VERSION = "taxiway.version"
"""The model version that the run trained."""
OUTCOME = "taxiway.outcome"
AIRFLOW_DAG = "airflow.dag_id"
AIRFLOW_RUN = "airflow.run_id"
AIRFLOW_URL = "airflow.url"
RECORD_PREFIX = "taxiway.record."
"""Followed by a record's kind: the digest of the record of that kind."""
CHANGED_PARAM_PREFIX = "taxiway.changed."
"""Followed by a parameter's name: its value, if a cleared task set another one than the first try."""

# Of the nested run of a trial of a sweep.
TRIAL = "taxiway.trial"
"""The digest of the trial's key."""
TRIAL_REUSED = "taxiway.trial_reused"

# Of a model version.
CANDIDATE = "taxiway.candidate"
"""The digest of the candidate's key: a retry finds the version that the first try registered."""
CLASSES = "taxiway.classes"
"""The label's values, a JSON list in the order of the probabilities; empty for a regression."""
SNAPSHOT = "taxiway.snapshot"
FEATURES = "taxiway.features"
ENVIRONMENT = "taxiway.environment"
CODE = "taxiway.code"
"""The git commit of the team's folder."""
NEWEST_SPAN = "taxiway.newest_span"
"""The newest span that the version was trained or evaluated on."""
VERDICT = "taxiway.verdict"
"""The status of the model gate's verdict on the version."""

# Of an entry of the promotion ledger.
PROMOTION_MODEL = "taxiway.promotion.model"
PROMOTION_KEY = "taxiway.promotion.key"
PROMOTION_STATE = "taxiway.promotion.state"
PROMOTION_NUMBER = "taxiway.promotion.number"
PROMOTION_RECORD = "taxiway.promotion.record"
PROMOTION_DECISION = "taxiway.promotion.decision"
"""A parameter: MLflow accepts one value for it, and no other afterwards."""

# Of a dataset that a run read.
SPAN_VERSION = "taxiway.span_version"

# MLflow's own.
PARENT_RUN = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
EXPERIMENT_KIND = "mlflow.experimentKind"
MODEL_DEVELOPMENT = "custom_model_development"
"""The kind of an experiment that MLflow's pages open on its runs, instead of on traces of language models."""
NOTE = "mlflow.note.content"
DATA_CONTEXT = "mlflow.data.context"
