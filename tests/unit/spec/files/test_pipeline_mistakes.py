"""What the errors of a pipeline file say: the line, what is allowed, and the remedy."""

import re
from pathlib import Path

import pytest
from minimal import MINIMAL

from taxiway.errors import ConfigError
from taxiway.spec.files.pipeline_file import read_pipeline


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "team: flights",
            "team: flights\nsorce: 1",
            ["late.pipeline.yaml:3: sorce is not an allowed key", 'did you mean "source"?'],
        ),
        (
            "metric: roc_auc",
            "metric: auc",
            ['late.pipeline.yaml:11: gate.against_champion.metric is "auc"', 'did you mean "roc_auc"?'],
        ),
        (
            "thresholds: {roc_auc: 0.6}",
            "thresholds: {auc: 0.6}",
            ['late.pipeline.yaml:10: gate.thresholds.auc is "auc"', "accuracy"],
        ),
        ("thresholds: {roc_auc: 0.6}", "thresholds: {}", ["late.pipeline.yaml:10: gate.thresholds"]),
        ("  label: late", "  label: late\n  window: 0", ["late.pipeline.yaml:6: source.window is 0"]),
        ("  label: late\n", "", ["late.pipeline.yaml:3: source.label is missing"]),
        (
            "team: flights",
            "team: Flights Team",
            ['late.pipeline.yaml:2: team is "Flights Team"; allowed: up to 80 lower-case letters'],
        ),
        (
            "schema: late.schema.yaml",
            "schema: lat.schema.yaml",
            ['schema is "lat.schema.yaml"', 'did you mean "late.schema.yaml"?'],
        ),
        (
            "model:\n",
            "model:\n  build: a:b\n",
            ["late.pipeline.yaml:7: model", "exactly one of estimator", "train (module:function) and command"],
        ),
        ("gate:", "shadow: {max_wait: 1w}\ngate:", ['late.pipeline.yaml:9: shadow.max_wait is "1w"', "30m"]),
        (
            "gate:",
            "gateway: g\nshadow: {max_wait: 31d}\ngate:",
            [
                'late.pipeline.yaml:10: shadow.max_wait is "31d"; allowed: at most 30d',
                "the gateway does not keep a challenger for longer",
            ],
        ),
        ("gate:", "shadow: {}\ngate:", ["shadow needs gateway"]),
        (
            "thresholds: {roc_auc: 0.6}",
            "thresholds: {rmse: 6}",
            ["gate: rmse is for regression and roc_auc for classification", "mae, mape, pinball_loss, r2, rmse, smape"],
        ),
        (
            "thresholds: {roc_auc: 0.6}",
            'thresholds: {"recall(class=a)": 0.6, "recall( class = a )": 0.1}',
            ["late.pipeline.yaml:10: gate.thresholds", "recall(class=a) has two thresholds; keep one"],
        ),
        (
            "thresholds: {roc_auc: 0.6}",
            "thresholds: {roc_auc: 6}",
            ["late.pipeline.yaml:10: gate.thresholds.roc_auc is 6.0; allowed: 0 to 1"],
        ),
        (
            "thresholds: {roc_auc: 0.6}\n  against_champion: {metric: roc_auc}",
            "thresholds: {r2: 1.5}\n  against_champion: {metric: r2}",
            ["gate.thresholds.r2 is 1.5; allowed: 1 or less"],
        ),
        (
            "gate:\n  thresholds: {roc_auc: 0.6}\n  against_champion: {metric: roc_auc}",
            "gateway: g\nshadow: {}\ngate:\n  thresholds: {rmse: 6}\n  against_champion: {metric: rmse}",
            ["shadow needs agree_within", "predictions of late"],
        ),
        (
            "thresholds: {roc_auc: 0.6}",
            "thresholds: {roc_auc: off}",
            ["gate.thresholds.roc_auc is false", "boolean", "allowed: a number"],
        ),
        (
            "metric: roc_auc}",
            "metric: roc_auc, min_improvement: no}",
            ["gate.against_champion.min_improvement is false", "boolean"],
        ),
        ("gate:", "gateway: g\nshadow: {agree_within: 2}\ngate:", ["shadow.agree_within is for regression"]),
        (
            "gate:",
            "gateway: g\nshadow: {labels: {tolerance: 1}}\ngate:",
            [
                "shadow.labels.tolerance is 1.0; brier is at most 1, so no challenger could be worse than that; allowed: a smaller one"
            ],
        ),
        (
            "gate:",
            "monitor: {log: l, retrain: {min_gain: 0.01, period: 0h}}\ngate:",
            ['monitor.retrain.period is "0s"; it is 0, so max_trainings would limit nothing'],
        ),
        (
            "gate:",
            "  warm_start: champion\nmonitor: {log: l, retrain: {min_gain: 0.01, new_labels: 9, learning_curve: true}}\ngate:",
            ["monitor.retrain.learning_curve is true", "the models of the curve are trained anew"],
        ),
        *(
            ("gate:", f"monitor: {{log: l, {metric}, retrain: {{min_gain: 0.01, actions: {actions}}}}}\n{more}gate:", expected)
            for metric, actions, more, expected in (
                (
                    "metric: brier",
                    "[recalibrat]",
                    "",
                    ['monitor.retrain.actions[0] is "recalibrat"', 'did you mean "recalibrate"?'],
                ),
                (
                    "metric: brier",
                    "[]",
                    "",
                    ["monitor.retrain.actions is []", "allowed: at least one of recalibrate, warm_start"],
                ),
                ("metric: brier", "[retrain, retrain]", "", ["an action is given twice"]),
                (
                    "metric: brier",
                    "[{action: recalibrate, window: 2}, retrain]",
                    "",
                    ["recalibrate has window, but it uses the rows of source.window"],
                ),
                (
                    "metric: brier",
                    "[{action: recalibrate, triggers: [age]}, retrain]",
                    "",
                    ["age is not a trigger of this policy; allowed: performance, concept_drift"],
                ),
                ("metric: brier", "[{action: retrain, triggers: [performance]}]", "", ["the last action has triggers"]),
                (
                    "metric: brier",
                    "[{action: retrain, rehearsal: {spans: 2}}]",
                    "",
                    ["actions[0].rehearsal", "allowed: exactly one of rows and share"],
                ),
                (
                    "metric: brier",
                    "[{action: retrain, window: all, rehearsal: {rows: 9}}]",
                    "",
                    ["window: all reads all earlier spans"],
                ),
                (
                    "metric: brier",
                    "[{action: retrain, window: 0}]",
                    "",
                    ["actions[0].window is 0; allowed: all, or a whole number"],
                ),
                (
                    "metric: roc_auc",
                    "[recalibrate, retrain]",
                    "",
                    ["recalibrate keeps the order of the probabilities, on which alone roc_auc depends", "set monitor.metric"],
                ),
                (
                    "metric: brier",
                    "[recalibrate, retrain]",
                    "sweep: {search: grid, space: {max_iter: [50, 60]}}\n",
                    ["recalibrate cannot be combined with sweep"],
                ),
            )
        ),
        (
            "gate:",
            "monitor: {log: l, alerts: [drift, realised, drift]}\ngate:",
            ["monitor.alerts is", "an alert is given twice; give each once"],
        ),
        (
            "gate:",
            "monitor: {log: l, alerts: [realised, labels]}\ngate:",
            ["monitor.alerts is", "the alert labels needs labels_after, which is missing; add it, or leave the alert out"],
        ),
        *(
            ("gate:", f"monitor: {{log: l, retrain: {{{retrain}}}}}\ngate:", expected)
            for retrain, expected in (
                ("costs: 5", ["monitor.retrain.costs is 5; allowed: a mapping with keys among training, labels, label, value"]),
                ("costs: {training: 0, value: 1}", ["a training costs nothing", "min_gain: 0 instead of costs"]),
                ("costs: {training: 1, labels: 9, value: 1}", ["labels needs label"]),
                ("costs: {training: 1, label: 9, value: 1}", ["label needs labels"]),
                (
                    "min_gain: 0.1, max_age: 0d",
                    ['monitor.retrain.max_age is "0s"; each run of the monitoring would train again'],
                ),
            )
        ),
        ("gate:", 'schedule: "0 0 31 2 *"\ngate:', ['schedule is "0 0 31 2 *"; no year has such a day']),
        ("gate:", "monitor: {log: l, outliers: iforest}\ngate:", ["monitor.outliers is", "iforest", "isolation_forest"]),
        (
            "gate:",
            "monitor: {log: l, alerts: [outliers]}\ngate:",
            ["monitor.alerts is", "the alert outliers needs outliers, which is missing; add it, or leave the alert out"],
        ),
        ("gate:", "monitor: {log: l, alerts: [drifts]}\ngate:", ["monitor.alerts", "drifts", "drift"]),
        ("gate:", "monitor: {log: l, labels_after: soon}\ngate:", ["monitor.labels_after", "soon"]),
        (
            "gate:",
            "gateway: g\nshadow: {labels: {metric: roc_auc}}\ngate:",
            [
                'shadow.labels.metric is "roc_auc"',
                "the mean of a number with limits for each request, which roc_auc is not",
                "brier and clipped_log_loss judge the same probabilities",
            ],
        ),
        (
            "gate:",
            "gateway: g\nshadow: {labels: {metric: mae, max_error: 3}}\ngate:",
            ["mae is for regression; allowed: brier, accuracy, clipped_log_loss", "max_error is for regression"],
        ),
        (
            "gate:\n  thresholds: {roc_auc: 0.6}\n  against_champion: {metric: roc_auc}",
            "gateway: g\nshadow: {agree_within: 5, labels: {metric: brier}}\ngate:\n  thresholds: {rmse: 6}\n"
            "  against_champion: {metric: rmse}",
            [
                "brier is for classification; allowed: mae",
                "need tolerance: how much larger the challenger's mean error may be",
                "need max_error: the largest error that counts, in the unit of the label",
            ],
        ),
        ("gate:", "gateway: g\nshadow: {replay: 36h}\ngate:", ["shadow.replay", "allowed: whole days, 1d to 31d"]),
        ("gate:", "gateway: g\nshadow: {replay: 7d}\ngate:", ["shadow.replay needs monitor.log"]),
        (
            '{YYYY}-{MM}.parquet"\n  label: late\n',
            '{SPAN}.parquet"\n  label: late\ngateway: g\nshadow: {replay: 7d}\nmonitor: {log: /srv/request-log}\n',
            ["shadow.replay needs spans that are periods", "allowed: source.every, or a pattern with {YYYY}"],
        ),
        ("gate:", "approval: human\ngate:", ['late.pipeline.yaml:9: approval is "human"; allowed: none, off, required']),
        ("schema: late.schema.yaml", "schema: ../late.schema.yaml", ["is not a file in the folder of the pipeline file"]),
        ("team: flights", "team: flights\nteam: trains", ["late.pipeline.yaml:3: team occurs twice, first on line 2"]),
        (
            "thresholds: {roc_auc: 0.6}",
            "thresholds: {roc_auc: 60}",
            ["late.pipeline.yaml:10: gate.thresholds.roc_auc is 60.0"],
        ),
        ("thresholds: {roc_auc: 0.6}", "thresholds: {roc_auc: .nan}", ["gate.thresholds.roc_auc is .nan"]),
        (
            "thresholds: {roc_auc: 0.6}",
            "thresholds: {roc_auc: 6, nope: 1, accuracy: 7, rmse: 2}",
            [
                'late.pipeline.yaml:10: gate.thresholds.nope is "nope"',
                "gate.thresholds.roc_auc is 6.0",
                "gate.thresholds.accuracy is 7.0",
                "late.pipeline.yaml:9: gate: rmse is for regression and accuracy, roc_auc for classification",
            ],
        ),
        (
            "gate:",
            "shadow: {agree_within: 2}\nsweep: {search: grid, space: {a: [1, 2]}, metric: rmse}\ngate:",
            ["shadow needs gateway", "shadow.agree_within is for regression", "sweep.metric is rmse"],
        ),
        (
            "gate:",
            "  weight: late\ngate:",
            ['late.pipeline.yaml:9: model.weight is "late"; it is the label; allowed: another column'],
        ),
        ("  label: late", "  label: late\n  window: yes", ["late.pipeline.yaml:6: source.window is true"]),
        ("gate:", "schedule: newspan\ngate:", ['schedule is "newspan"', 'did you mean "new_span"?']),
        ("gate:", "features: {numeric: temp}\ngate:", ['features.numeric is "temp"; allowed: auto, or a list of column names']),
        ("team: flights", f"team: {'t' * 300}", ["late.pipeline.yaml:2: team: allowed: up to 80"]),
        ("team: flights", "team: [flights", ["late.pipeline.yaml:3", "not YAML"]),
    ],
)
def test_a_mistake_names_its_line_and_the_remedy(write, old: str, new: str, expected: list[str]) -> None:
    assert old in MINIMAL
    with pytest.raises(ConfigError) as caught:
        read_pipeline(write(MINIMAL.replace(old, new)))
    for part in expected:
        assert part in str(caught.value)


def test_all_mistakes_are_named_at_once(write) -> None:
    text = MINIMAL.replace("team: flights", "team: X").replace("metric: roc_auc", "metric: gini")
    with pytest.raises(ConfigError) as caught:
        read_pipeline(write(text))
    assert 'team is "X"' in str(caught.value)
    assert 'metric is "gini"' in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words", "&a [*a]"])
def test_a_file_that_is_no_mapping_is_refused(write, text: str) -> None:
    with pytest.raises(ConfigError, match=r"late\.pipeline\.yaml:1"):
        read_pipeline(write(text))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00binary", "not UTF-8"),
        (b"pipeline: a\x00b", "not YAML"),
        (b"pipeline: 2013-13-45", "not a valid date or time: month must be in 1..12"),
    ],
    ids=["binary", "nul", "date"],
)
def test_a_hostile_file_is_refused_at_once_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "late.pipeline.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        read_pipeline(path)
    assert re.search(r"late\.pipeline\.yaml:[12]: ", str(caught.value))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lates.pipeline.yaml", 'did you mean "late.pipeline.yaml"?'),
        ("late.pipline.yaml", 'did you mean "late.pipeline.yaml"?'),
        ("late.yaml", 'did you mean "late.pipeline.yaml"?'),
        ("fraud.pipeline.yaml", "files in that folder: 1.pipeline.yaml, 2.pipeline.yaml, 3.pipeline.yaml, 4.pipeline.yaml, 5.pipeline.yaml and 3 more"),
    ],
)  # fmt: skip
def test_a_missing_file_names_the_nearest_one_or_at_most_five(write, name: str, said: str) -> None:
    path = write(MINIMAL)
    path.with_name("late.schema.yaml").unlink(missing_ok=True)
    for number in range(1, 8):
        path.with_name(f"{number}.pipeline.yaml").touch()
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path.with_name(name))
    assert str(caught.value) == f"{path.with_name(name)} does not exist; {said}"
