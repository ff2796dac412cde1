"""What a trial costs: by a clock of our own where it is about the rule, by real models where it is about them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from automl.export import save_model
from automl.families import FAMILIES, Fold, Problem
from automl.metrics import metric_for
from automl.table import TypedColumns, preprocessor
from automl.workers import Cohort, excess, model_bytes, sample_rows, seconds_for
from automl.workers.evaluate import evaluate
from automl.workers.measurements import CostMeter
from automl.workers.prepared import PreparedFolds


class Clock:
    """Each piece of work takes the next of these seconds."""

    def __init__(self, *seconds):
        self.now, self.seconds, self.runs = 0.0, list(seconds), 0

    def __call__(self):
        return self.now

    def work(self):
        self.now += self.seconds[min(self.runs, len(self.seconds) - 1)]
        self.runs += 1


@pytest.mark.parametrize(
    ("seconds", "runs", "found"),
    [
        ((9e-2, 1e-3, 2e-3, 3e-3, 1e-3, 1e-3), 6, 1e-3),  # the first warms up, then the median
        ((0.5,), 1, 0.5),  # long enough to be told by one
        ((0.06, 0.05), 2, 0.05),  # no third when there has been time enough
    ],
)
def test_short_work_is_timed_by_the_median_of_a_few_runs(seconds, runs, found):
    clock = Clock(*seconds)
    assert seconds_for(clock.work, clock) == pytest.approx(found)
    assert clock.runs == runs


def test_excess_is_the_part_of_the_limit_above_it():
    assert excess({"a": 3.0, "b": 0.5, "c": 1.0}, {"b": 1.0, "a": 2.0}) == {"b": -0.5, "a": 0.5}


@pytest.mark.parametrize("n_rows", [7, 5000])
def test_a_thousand_rows_whatever_the_table_has(assignment, n_rows):
    rows = assignment.frame.iloc[np.resize(np.arange(len(assignment.frame)), n_rows)]
    assert len(sample_rows(rows)) == 1000


def test_model_bytes_is_the_size_of_the_file_that_an_export_writes(assignment, tmp_path):
    X, y = assignment.frame, assignment.y
    tree = FAMILIES["decision_tree"].estimator({"max_depth": 3}, 0, assignment.problem)
    steps = [
        ("columns", TypedColumns()),
        ("prepare", preprocessor({}, assignment.column_types, task="binary")),
    ]
    pipeline = Pipeline([*steps, ("model", tree)]).fit(X, y)
    (file,) = save_model(pipeline, tmp_path / "model", X.head(), {}).glob("*.skops")
    assert model_bytes(pipeline) == file.stat().st_size


@pytest.fixture
def measured(assignment):
    """Return an assignment with these objectives and limits, its first step's size counted as well."""

    def measured(*scoring, directions=None, **limits):
        columns = TypedColumns().fit(assignment.frame)
        changes = {"scoring": list(scoring), "constraints": limits, "columns": columns}
        return replace(assignment, **changes, directions=directions)

    return measured


def train(assigned, cohort, stop=lambda: False, judge=lambda rung, scores: set()):
    return evaluate(assigned, PreparedFolds(assigned), cohort, judge, stop)


ALL = ("roc_auc", "neg_log_loss", "fit_seconds", "predict_seconds", "model_bytes")
MODELS = (
    {"max_epochs": 2, "learning_rate": 0.1, "optimizer": "adam"},
    {"max_epochs": 5, "learning_rate": 0.01, "optimizer": "sgd"},
)


def test_every_trial_of_a_cohort_has_values_of_its_own(cohort, measured):
    assigned = measured(*ALL)
    short, long = train(assigned, cohort(*MODELS))
    for record in (short, long):
        assert tuple(record.values) == ALL
        assert record.values["roc_auc"] == record.score == pytest.approx(np.mean(record.fold_scores))
        assert record.values["neg_log_loss"] == pytest.approx(-record.metrics["log_loss"], rel=1e-5)
        assert 0 < record.values["fit_seconds"] < record.seconds
        assert 0 < record.values["predict_seconds"] < 1
        assert record.violation == {}
    assert long.values["fit_seconds"] > short.values["fit_seconds"]
    # two moments a parameter and what is written about them; sgd keeps none
    assert short.values["model_bytes"] > long.values["model_bytes"]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_what_is_measured_of_a_cohort_is_the_trial_as_it_would_be_alone(task, family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3)).astype(np.float32)
    y = {"binary": X[:, 0] > 0, "multiclass": np.arange(80) % 3, "regression": X[:, 0]}[task]
    y = y.astype(float if task == "regression" else int)
    problem = Problem(task, 0 if task == "regression" else 2 if task == "binary" else 3)
    models = [{"max_epochs": 3, "learning_rate": rate, "batch_size": 16} for rate in (0.01, 0.1)]
    together = FAMILIES[family].trainer(models, [5, 6], problem, Fold(X, y, (6,)))
    together.advance(3, lambda: False)
    together.select([1])
    ((said,), found) = together.predict(X), together.estimator(1)
    assert np.allclose(found.predict(X), said.values, rtol=1e-5)
    if task != "regression":
        assert np.allclose(found.predict_proba(X), said.probabilities, rtol=1e-5, atol=1e-6)
    # the estimator orders rows by its own seed, which is here that of the fold
    alone = FAMILIES[family].estimator(models[1], 6, problem).fit(X, y)
    assert alone.get_params() == found.get_params()
    assert vars(alone).keys() == vars(found).keys()
    assert np.allclose(alone.theta_, found.theta_, rtol=1e-3, atol=1e-4)
    # digits of numbers written as text are all that differs
    assert model_bytes(found) == pytest.approx(model_bytes(alone), rel=0.01)


def test_limits_say_how_far_a_trial_is_from_them(cohort, measured):
    assigned = measured("roc_auc", model_bytes=50_000, predict_seconds=1e-6)
    (record,) = train(assigned, cohort(MODELS[0]))
    assert tuple(record.values) == ("model_bytes", "predict_seconds")
    assert record.violation == {
        "model_bytes": record.values["model_bytes"] / 50_000 - 1,
        "predict_seconds": record.values["predict_seconds"] / 1e-6 - 1,
    }
    assert record.total_violation >= record.violation["predict_seconds"] > 0


def test_nothing_is_measured_that_nobody_asked_for(cohort, assignment, monkeypatch):
    monkeypatch.setattr(CostMeter, "__call__", lambda *args: pytest.fail("measured"))
    monkeypatch.setattr(CostMeter, "_preparation", lambda *args: pytest.fail("prepared"))
    assert train(assignment, cohort(MODELS[0]))[0].values == {}


def test_preparing_is_measured_once_for_each_way_of_it(cohort, measured, monkeypatch):
    assigned = measured("roc_auc", model_bytes=1)
    costs, fitted = CostMeter(assigned), []
    make = preprocessor
    monkeypatch.setattr(
        "automl.workers.measurements.preprocessor",
        lambda way, *args, **kw: fitted.append(way) or make(way, *args, **kw),
    )
    for number in range(2):
        evaluate(
            assigned,
            PreparedFolds(assigned),
            cohort(*MODELS, number=number),
            lambda *a: set(),
            lambda: False,
            costs,
        )
    assert fitted == [{}]


def test_a_trial_that_was_pruned_or_cut_short_is_measured_under_a_limit(cohort, measured):
    assigned = measured("roc_auc", model_bytes=1)
    (pruned,) = train(assigned, cohort({"max_epochs": 4}), judge=lambda rung, scores: set(scores))
    assert (pruned.state, list(pruned.violation)) == ("pruned", ["model_bytes"])
    asked = []

    def judge(rung, scores):
        asked.append(rung)
        return set()

    (stopped,) = train(assigned, cohort({"max_epochs": 4}), stop=lambda: len(asked) > 1, judge=judge)
    assert (stopped.state, stopped.curve.rungs) == ("stopped", (1, 2))
    assert stopped.total_violation > 0
    (unborn,) = train(assigned, cohort({"max_epochs": 4}), stop=lambda: True)
    assert (unborn.state, unborn.violation) == ("stopped", {})


def test_an_objective_that_cannot_be_had_fails_the_trial_alone(cohort, measured):
    def tried(estimator, X, y):
        certain = estimator.predict_proba(X).max() > 0.9
        return float("nan") if certain else 1.0

    timid, bold = {"max_epochs": 2, "learning_rate": 1e-4}, {"max_epochs": 2, "learning_rate": 10.0}
    kept, failed = train(measured("roc_auc", tried), cohort(timid, bold))
    assert (kept.state, kept.values["tried"]) == ("complete", 1.0)
    assert (failed.state, failed.reason, failed.score) == ("failed", "tried is nan", None)


def test_a_loss_of_the_users_own_is_a_score_and_stays_a_value(cohort, measured):
    def loss(estimator, X, y):
        return -metric_for("neg_log_loss", "binary", 2)(y, estimator.predictions)

    assigned = measured(loss, "accuracy", directions=("minimize", "maximize"))
    (record,) = train(assigned, cohort(MODELS[0]))
    assert record.score < 0
    assert record.values["loss"] == -record.score
    assert record.values["accuracy"] == record.metrics["accuracy"]


def test_workers_measure_in_their_own_processes(measured, cohort, drive):
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
