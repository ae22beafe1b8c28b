"""The codes of reasons, which stay the same when a message is worded differently."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """What a reason of a verdict or of a shadow report is about.

    A code names the check, and the status its result: `rows.too_few` with PASS says that there are enough rows.

    Attributes:
        DATA_REPORT: The data report is there, and belongs to the snapshot and the schema of the model.
        DATA_ANOMALY: The data passed validation: no anomaly blocks.
        DATA_WAIVER: A waiver that the data needs has expired.
        EVALUATION_MISMATCH: The evaluation belongs to another version or snapshot, or lacks the comparison with its champion.
        COLUMNS_MISSING: A model was scored without values of columns that the data no longer has.
        CLASSES_UNSEEN: Evaluation rows have classes that a model was not trained on.
        CLASSES_ABSENT: No evaluation row has a class of the model.
        ROWS_TOO_FEW: The number of evaluation rows, which `gate.min_rows` limits.
        GROUPS_TOO_FEW: The number of groups by `gate.group_by`.
        LABELS_NOT_COUNTED: Labelled rows were left out, because they were not drawn at random.
        METRIC_ALMOST_PERFECT: A metric is suspiciously good.
        METRIC_THRESHOLD: A metric of the candidate, which `gate.thresholds` limits.
        CONDITION: A condition of `gate.conditions`.
        CHAMPION_NEWER: The champion was trained on newer data than the candidate.
        CHAMPION_UNSCORABLE: The champion cannot be scored on the evaluation rows.
        METRIC_AGAINST_CHAMPION: The improvement over the champion, which `gate.against_champion` limits.
        SLICE_DROP: The drop in a slice against the champion, which `gate.slices` limits.
        BASELINE: The comparison with simple models.
        SCORES_WITHHELD: The requirements of the scores together, without the scores: see `gate.show`.
        ROWS_SHARED: Models of other pipelines were tried on the same evaluation rows.
        ROWS_SPENT: The evaluation rows are spent, so that nothing is decided by their scores: see `gate.budget`.
        SHADOW_NOT_RUN: There is no shadow: no champion, or no `shadow` section.
        SHADOW_REQUESTS: The number of requests with a result of both versions, which `shadow.min_requests` limits.
        SHADOW_CHAMPION_CHANGED: The results of the champion are from one version.
        SHADOW_UNPAIRED: The share of requests without a result of the challenger.
        SHADOW_AGREEMENT: The share of rows with the same prediction, which `shadow.min_agreement` limits.
        SHADOW_ERRORS: The share of requests that the challenger answers with an error, which `shadow.max_error_rate` limits.
        SHADOW_SCORE_SHIFT: The mean difference of the scores.
        SHADOW_LATENCY_P50: The ratio of the median latencies.
        SHADOW_LATENCY_P99: The ratio of the 99th percentiles of the latency, which `shadow.max_p99_ratio` limits.
        SHADOW_LABELS: The difference of both versions' losses on labelled requests, which `shadow.labels` limits.
        SHADOW_ANSWERS: The logged answers equal those that the models compute.
        UNKNOWN: The record is from a version of Taxiway without codes.
    """

    DATA_REPORT = "data.report"
    DATA_ANOMALY = "data.anomaly"
    DATA_WAIVER = "data.waiver"
    EVALUATION_MISMATCH = "evaluation.mismatch"
    COLUMNS_MISSING = "columns.missing"
    CLASSES_UNSEEN = "classes.unseen"
    CLASSES_ABSENT = "classes.absent"
    ROWS_TOO_FEW = "rows.too_few"
    GROUPS_TOO_FEW = "groups.too_few"
    LABELS_NOT_COUNTED = "labels.not_counted"
    METRIC_ALMOST_PERFECT = "metric.almost_perfect"
    METRIC_THRESHOLD = "metric.threshold"
    CONDITION = "condition"
    CHAMPION_NEWER = "champion.newer"
    CHAMPION_UNSCORABLE = "champion.unscorable"
    METRIC_AGAINST_CHAMPION = "metric.against_champion"
    SLICE_DROP = "slice.drop"
    BASELINE = "baseline"
    SCORES_WITHHELD = "scores.withheld"
    ROWS_SHARED = "rows.shared"
    ROWS_SPENT = "rows.spent"
    SHADOW_NOT_RUN = "shadow.not_run"
    SHADOW_REQUESTS = "shadow.requests"
    SHADOW_CHAMPION_CHANGED = "shadow.champion_changed"
    SHADOW_UNPAIRED = "shadow.unpaired"
    SHADOW_AGREEMENT = "shadow.agreement"
    SHADOW_ERRORS = "shadow.errors"
    SHADOW_SCORE_SHIFT = "shadow.score_shift"
    SHADOW_LATENCY_P50 = "shadow.latency_p50"
    SHADOW_LATENCY_P99 = "shadow.latency_p99"
    SHADOW_LABELS = "shadow.labels"
    SHADOW_ANSWERS = "shadow.answers"
    UNKNOWN = "unknown"
