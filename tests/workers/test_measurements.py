"""Costs of trials, with a scripted clock or with real models."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from automl.export import save_model
from automl.families import FAMILIES, Fold, Problem
from automl.metrics import metric_for, objectives_for
from automl.table import TypedColumns, preprocessor
from automl.workers import Cohort, PreparedFolds, evaluate, model_bytes, sample_rows, seconds_for, violations
from automl.workers.measurements import CostMeter


class Clock:
    """Each call takes the next of these seconds."""

    def __init__(self, *seconds):
        self.now, self.seconds, self.runs = 0.0, list(seconds), 0

    def __call__(self):
        return self.now

    def call(self):
        self.now += self.seconds[min(self.runs, len(self.seconds) - 1)]
        self.runs += 1


@pytest.mark.parametrize(
    ("seconds", "runs", "found"),
    [
        ((9e-2, 1e-3, 2e-3, 3e-3, 1e-3, 1e-3), 6, 1e-3),  # the first warms up, then the median
        ((0.5,), 1, 0.5),  # one long call is enough
        ((0.06, 0.05), 2, 0.05),  # no third run after 0.1 s
    ],
)
def test_seconds_for_returns_the_median(seconds, runs, found):
    clock = Clock(*seconds)
    assert seconds_for(clock.call, clock) == pytest.approx(found)
    assert clock.runs == runs


def test_violations_are_relative_to_limits():
    assert violations({"a": 3.0, "b": 0.5, "c": 1.0}, {"b": 1.0, "a": 2.0}) == {"b": -0.5, "a": 0.5}


@pytest.mark.parametrize("n_rows", [7, 5000])
def test_sample_rows_returns_a_thousand(context, n_rows):
    rows = context.frame.iloc[np.resize(np.arange(len(context.frame)), n_rows)]
    assert len(sample_rows(rows)) == 1000


def test_model_bytes_equals_exported_file(context, tmp_path):
    X, y = context.frame, context.y
    tree = FAMILIES["decision_tree"].estimator({"max_depth": 3}, 0, context.problem)
    steps = [
        ("columns", TypedColumns()),
        ("prepare", preprocessor({}, context.column_types, task="binary")),
    ]
    pipeline = Pipeline([*steps, ("model", tree)]).fit(X, y)
    (file,) = save_model(pipeline, tmp_path / "model", X.head(), {}).glob("*.skops")
    assert model_bytes(pipeline) == file.stat().st_size


@pytest.fixture
def measured(context):
    """Return a context with these objectives and constraints, and with fitted columns."""

    def measured(*scoring, directions=None, **limits):
        columns = TypedColumns().fit(context.frame)
        changes = {"constraints": limits, "columns": columns}
        objectives = objectives_for(list(scoring), directions, "binary", 2)
        return replace(context, objectives=objectives, **changes)

    return measured


def train(changed, cohort, stop=lambda: False, report=lambda rung, scores, seconds: set()):
    return evaluate(changed, PreparedFolds(changed), cohort, report, stop)


ALL = ("roc_auc", "neg_log_loss", "fit_seconds", "predict_seconds", "model_bytes")
MODELS = (
    {"max_epochs": 2, "learning_rate": 0.1, "optimizer": "adam"},
    {"max_epochs": 5, "learning_rate": 0.01, "optimizer": "sgd"},
)


def test_costs_differ_within_a_cohort(cohort, measured):
    changed = measured(*ALL)
    short, long = train(changed, cohort(*MODELS))
    for record in (short, long):
        assert tuple(record.values) == ALL
        assert record.values["roc_auc"] == record.score == pytest.approx(np.mean(record.fold_scores))
        assert record.values["neg_log_loss"] == pytest.approx(-record.metrics["log_loss"], rel=1e-5)
        assert 0 < record.values["fit_seconds"] < record.seconds
        assert 0 < record.values["predict_seconds"] < 1
        assert record.violation == {}
    assert long.values["fit_seconds"] > short.values["fit_seconds"]
    # a fitted model holds no optimizer state
    assert short.values["model_bytes"] == pytest.approx(long.values["model_bytes"], rel=0.05)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_cohort_estimator_equals_single_fit(task, family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3)).astype(np.float32)
    y = {"binary": X[:, 0] > 0, "multiclass": np.arange(80) % 3, "regression": X[:, 0]}[task]
    y = y.astype(float if task == "regression" else int)
    problem = Problem(task, 0 if task == "regression" else 2 if task == "binary" else 3)
    models = [{"max_epochs": 3, "learning_rate": rate, "batch_size": 16} for rate in (0.01, 0.1)]
    together = FAMILIES[family].trainer(models, [5, 6], problem, Fold(X, y, (6,)))
    together.advance(3, lambda: False)
    together.select([1])
    ((predictions,), found) = together.predict(X), together.estimator(1)
    assert np.allclose(found.predict(X), predictions.values, rtol=1e-5)
    if task != "regression":
        assert np.allclose(found.predict_proba(X), predictions.probabilities, rtol=1e-5, atol=1e-6)
    # the estimator's seed orders the rows; here it equals the seed of the fold
    alone = FAMILIES[family].estimator(models[1], 6, problem).fit(X, y)
    assert alone.get_params() == found.get_params()
    assert vars(alone).keys() == vars(found).keys()
    assert np.allclose(alone.theta_, found.theta_, rtol=1e-3, atol=1e-4)
    # only the digits of numbers in text differ
    assert model_bytes(found) == pytest.approx(model_bytes(alone), rel=0.01)


def test_constraints_set_violations(cohort, measured):
    changed = measured("roc_auc", model_bytes=50_000, predict_seconds=1e-6)
    (record,) = train(changed, cohort(MODELS[0]))
    assert tuple(record.values) == ("model_bytes", "predict_seconds")
    assert record.violation == {
        "model_bytes": record.values["model_bytes"] / 50_000 - 1,
        "predict_seconds": record.values["predict_seconds"] / 1e-6 - 1,
    }
    assert record.total_violation >= record.violation["predict_seconds"] > 0


def test_costs_are_measured_only_if_used(cohort, context, monkeypatch):
    monkeypatch.setattr(CostMeter, "__call__", lambda *args: pytest.fail("measured"))
    monkeypatch.setattr(CostMeter, "_preparation", lambda *args: pytest.fail("prepared"))
    assert train(context, cohort(MODELS[0]))[0].values == {}


def test_cost_meter_prepares_once(cohort, measured, monkeypatch):
    changed = measured("roc_auc", model_bytes=1)
    costs, fitted = CostMeter(changed), []
    make = preprocessor
    monkeypatch.setattr(
        "automl.workers.measurements.preprocessor",
        lambda way, *args, **kw: fitted.append(way) or make(way, *args, **kw),
    )
    for number in range(2):
        evaluate(
            changed,
            PreparedFolds(changed),
            cohort(*MODELS, number=number),
            lambda *a: set(),
            lambda: False,
            costs,
        )
    assert fitted == [{}]


def test_constraints_apply_to_pruned_and_stopped_trials(cohort, measured):
    changed = measured("roc_auc", model_bytes=1)
    (pruned,) = train(changed, cohort({"max_epochs": 4}), report=lambda rung, scores, seconds: set(scores))
    assert (pruned.state, list(pruned.violation)) == ("pruned", ["model_bytes"])
    rungs = []

    def report(rung, scores, seconds):
        rungs.append(rung)
        return set()

    (stopped,) = train(changed, cohort({"max_epochs": 4}), stop=lambda: len(rungs) > 1, report=report)
    assert (stopped.state, stopped.curve.rungs) == ("stopped", (1, 2))
    assert stopped.total_violation > 0
    (untrained,) = train(changed, cohort({"max_epochs": 4}), stop=lambda: True)
    assert (untrained.state, untrained.violation) == ("stopped", {})


def test_nan_objective_fails_one_trial(cohort, measured):
    def unstable(estimator, X, y):
        certain = estimator.predict_proba(X).max() > 0.9
        return float("nan") if certain else 1.0

    timid, bold = {"max_epochs": 2, "learning_rate": 1e-4}, {"max_epochs": 2, "learning_rate": 10.0}
    kept, failed = train(measured("roc_auc", unstable), cohort(timid, bold))
    assert (kept.state, kept.values["unstable"]) == ("complete", 1.0)
    assert (failed.state, failed.reason, failed.score) == ("failed", "unstable is nan", None)


def test_minimised_scorer_keeps_its_value(cohort, measured):
    def loss(estimator, X, y):
        return -metric_for("neg_log_loss", "binary", 2)(y, estimator.predictions)

    changed = measured(loss, "accuracy", directions=("minimize", "maximize"))
    (record,) = train(changed, cohort(MODELS[0]))
    assert record.score < 0
    assert record.values["loss"] == -record.score
    assert record.values["accuracy"] == record.metrics["accuracy"]


@pytest.mark.slow
def test_process_workers_measure_costs(measured, cohort, drive):
    from automl.workers import open_workers

    def mine(estimator, X, y):
        return float(estimator.predict(X).mean())

    workers = open_workers(measured("roc_auc", mine, "model_bytes"), 2)
    try:
        first = cohort(*MODELS)
        workers.submit(Cohort(0, first.trials))
        (finished,) = [event for event in drive(workers, 1) if hasattr(event, "records")]
    finally:
        workers.close()
    assert all(tuple(record.values) == ("roc_auc", "mine", "model_bytes") for record in finished.records)
