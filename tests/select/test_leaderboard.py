from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest

from automl.records import Curve, EnsembleRecord, SearchRecord, TrialRecord
from automl.select import Baseline, CorrectedScore, best_record, leaderboard, pareto_front, rank


def record(number, state, score, **more):
    return TrialRecord(
        number=number, configuration={}, params=more.pop("params", {}), seed=0, state=state, family="linear",
        score=score, **more,
    )  # fmt: skip


RECORDS = [
    record(0, "failed", None, reason="diverged"),
    record(1, "complete", 0.7),
    record(2, "pruned", 0.9),
    record(3, "complete", 0.8),
    record(4, "complete", 0.8),
    record(5, "pruned", None),
    record(6, "complete", -0.1),
    record(7, "pruned", 0.2),
    record(8, "stopped", 0.85),
    record(9, "stopped", None),
]


@pytest.mark.parametrize("order", [1, -1])
def test_rank_by_state_score_and_number(order):
    assert [one.number for one in rank(RECORDS[::order])] == [8, 3, 4, 1, 6, 2, 7, 5, 9, 0]


def test_best_record_prefers_unpruned():
    assert best_record(RECORDS).number == 8
    assert best_record(RECORDS[:8]).number == 3


def test_rank_samples_like_pruned():
    def stopped(number, *rungs):
        return record(number, "stopped", 0.99, curve=Curve(rungs=rungs, epoch_steps=16))

    sampled, whole = stopped(20, 1, 4), stopped(21, 1, 4, 16)
    assert (sampled.early, whole.early) == (True, False)
    assert [one.number for one in rank([*RECORDS, sampled])][5:8] == [20, 2, 7]
    assert best_record([*RECORDS, sampled, whole]).number == 21
    assert leaderboard([sampled, whole], wide=True)["epochs"].tolist() == [1, 0.25]


def test_best_record_of_pruned_trials():
    pruned = [one for one in RECORDS if one.state in ("pruned", "failed")]
    assert best_record(pruned).number == 2
    assert best_record([RECORDS[0], RECORDS[5]]) is None
    assert best_record([]) is None


def test_leaderboard_columns():
    curve = Curve(losses=(0.7, 0.6, 0.5), learning_rates=(0.1,) * 3, rungs=(1, 2), scores=(0.5, 0.7))
    records = [
        record(4, "failed", None, fold_scores=(), reason="diverged"),
        record(2, "complete", 0.7, fold_scores=(0.6, 0.8), metrics={"accuracy": 0.75}, curve=curve,
               params={"model": "linear", "model.linear.hidden_layer_sizes": [4]}, seconds=1.5),
        record(3, "pruned", 0.9, curve=Curve(rungs=(1,), scores=(0.9,)), params={"model": "decision_tree"}),
    ]  # fmt: skip
    table = leaderboard(records, {2: "run2", 4: None}, wide=True)
    assert table.index.tolist() == [1, 2, 3]
    assert table.index.name == "rank"
    assert table["trial"].tolist() == [2, 3, 4]
    assert table["state"].tolist() == ["complete", "pruned", "failed"]
    assert table["epochs"].tolist() == [3, 1, 0]
    assert table.loc[1, "score_std"] == pytest.approx(0.1)
    assert np.isnan(table.loc[3, "score"])
    assert table.loc[1, "accuracy"] == 0.75
    assert table.loc[1, "model.linear.hidden_layer_sizes"] == [4]
    assert table.loc[1, "run_id"] == "run2"
    assert table["run_id"].isna().tolist() == [False, True, True]
    assert leaderboard(records)["run_id"].isna().all()
    names = ["trial", "state", "family", "score", "score_std", "seconds", "reason", "parameters", "repeats"]
    assert leaderboard(records).columns.tolist() == [*names, "run_id"]
    corrected = CorrectedScore(0.65, 0.6, 0.68, 0.7, 0.5, 1.0, n_trials=2, n_resamples=400)
    honest = leaderboard(records, corrected=corrected).iloc[:, 4:7]
    assert honest.columns.tolist() == ["corrected", "corrected_low", "corrected_high"]
    assert honest.iloc[0].tolist() == [0.65, 0.6, 0.68]
    assert honest.iloc[1:].isna().all(axis=None)
    corrected = replace(corrected, ensemble_score=0.66, ensemble_low=0.61, ensemble_high=0.69)
    ensemble = EnsembleRecord(members=((2, 0.5), (3, 0.5)), score=0.72, fold_scores=(0.7, 0.74))
    board = leaderboard(records, ensemble=ensemble, corrected=corrected).iloc[:2, 4:7]
    assert board.to_numpy().tolist() == [[0.66, 0.61, 0.69], [0.65, 0.6, 0.68]]
    assert table.loc[3, "reason"] == "diverged"


def test_leaderboard_counts_repeats():
    first = record(1, "complete", 0.7)
    board = leaderboard([record(0, "complete", 0.6), first, first.repeated(record(2, "complete", 0).spec),
                         first.repeated(record(5, "complete", 0).spec)])  # fmt: skip
    assert board["trial"].tolist() == [1, 0]
    assert board["repeats"].tolist() == [2, 0]
    alone = first.repeated(record(2, "complete", 0).spec)  # its original is in another study
    assert leaderboard([alone])["trial"].tolist() == [2]


def test_leaderboard_places_the_baseline():
    board = leaderboard(RECORDS, baseline=Baseline(0.75, [0.7, 0.8], {"accuracy": 0.6}), wide=True)
    assert board["trial"].astype(object).tolist()[:5] == [8, 3, 4, pd.NA, 1]
    assert board.columns[-2:].tolist() == ["accuracy", "run_id"]
    row = board.loc[4]
    assert (row.state, row.family, row.score, row.accuracy) == ("baseline", "dummy", 0.75, 0.6)
    assert row.score_std == pytest.approx(0.05)


def test_leaderboard_shows_varied_parameters():
    def tree(number, depth, leaves):
        params = {"model": "linear", "model.linear.depth": depth, "model.linear.leaves": leaves,
                  "model.linear.preprocess.numeric.scale": str(number)}  # fmt: skip
        return record(number, "complete", 0.5, params=params)

    assert leaderboard([tree(0, 2, 5), tree(1, 0.9996, 5)])["parameters"].tolist() == [
        "depth=2",
        "depth=0.9996",
    ]
    assert leaderboard([tree(0, 2, 5)])["parameters"].tolist() == ["depth=2 leaves=5"]


def test_leaderboard_without_trials():
    assert len(leaderboard([])) == 0


# Several objectives, and limits


def search(directions=("maximize",), scoring="roc_auc", **constraints):
    return SearchRecord(
        study_name="s", task="binary", target="y", scoring=scoring, space="s", space_digest="0", n_rows=1,
        n_columns=1, n_folds=1, random_state=0, directions=directions, constraints=constraints,
    )  # fmt: skip


TWO = search(("maximize", "minimize"), "roc_auc, model_bytes")


def point(number, score, size, state="complete", **more):
    values = {"roc_auc": score, "model_bytes": size} if size is not None else {}
    return record(number, state, score, values=values, **more)


POINTS = [
    point(0, 0.90, 500),
    point(1, 0.95, 900),
    point(2, 0.90, 600),  # 0 is as good and smaller
    point(3, 0.70, 100),
    point(4, 0.94, 950),  # 1 is better in both
    point(5, 0.70, 100),  # the very same as 3
    point(6, 0.99, None, "stopped"),
    point(7, None, None, "failed"),
    point(8, 0.60, 100),
]


@pytest.mark.parametrize("order", [1, -1])
def test_rank_puts_the_front_first(order):
    points = POINTS[::order]
    assert [one.number for one in pareto_front(points, TWO)] == [1, 0, 3, 5]
    assert [one.number for one in rank(points, TWO)] == [1, 0, 3, 5, 4, 2, 8, 6, 7]
    assert best_record(points, TWO).number == 1


def test_pareto_front_equals_optuna():
    rng = np.random.default_rng(0)
    about = search(("maximize", "minimize", "minimize"), "roc_auc, fit_seconds, model_bytes")
    drawn = rng.integers(0, 20, size=(300, 3)).astype(float)
    study = optuna.create_study(directions=list(about.directions))
    for values in drawn.tolist():
        study.add_trial(optuna.trial.create_trial(values=values))
    points = [
        record(number, "complete", values[0], values=dict(zip(about.objectives, values, strict=True)))
        for number, values in enumerate(drawn.tolist())
    ]
    front = {one.number for one in pareto_front(points, about)}
    assert front == {trial.number for trial in study.best_trials}
    assert 3 < len(front) < 100
    assert best_record(points, about).number in front


def test_rank_minimises_losses():
    about = search(("minimize", "maximize"), "loss, accuracy")
    points = [
        record(number, "complete", -loss, values={"loss": loss, "accuracy": accuracy})
        for number, (loss, accuracy) in enumerate([(2.0, 0.9), (1.0, 0.8), (1.5, 0.8)])
    ]
    assert [one.number for one in rank(points, about)] == [1, 0, 2]
    assert [one.number for one in pareto_front(points, about)] == [1, 0]


LIMITED = search(model_bytes=100.0)


def limited(number, score, excess, state="complete"):
    known = {} if excess is None else {"model_bytes": excess}
    return record(
        number, state, score, excess=known, values={name: 100 * (1 + v) for name, v in known.items()}
    )


LIMITS = [
    limited(0, 0.99, 3.0),
    limited(1, 0.70, -0.5),
    limited(2, 0.98, 0.2),
    limited(3, 0.80, 0.0),  # just within
    limited(4, 0.97, None, "stopped"),
    limited(5, 0.60, -0.9, "pruned"),
    limited(6, 0.99, 0.2),
    limited(7, 0.95, -0.1, "stopped"),
    limited(8, None, None, "failed"),
]


def test_rank_infeasible_by_violation():
    assert [one.number for one in rank(LIMITS, LIMITED)] == [7, 3, 1, 5, 6, 2, 0, 4, 8]
    assert best_record(LIMITS, LIMITED).number == 7
    assert [one.number for one in pareto_front(LIMITS, LIMITED)] == [3]


def test_best_record_prefers_feasible():
    broken = [one for one in LIMITS if one.total_violation or not one.violation]
    assert best_record(broken, LIMITED).number == 6
    assert pareto_front(broken, LIMITED) == ()


def test_leaderboard_shows_front_and_excess():
    board = leaderboard(POINTS, search=TWO, baseline=Baseline(0.8, [0.8]))
    assert board["front"].tolist().count(True) == 4
    board = leaderboard(POINTS, search=TWO)
    assert board.columns[:6].tolist() == ["trial", "state", "family", "front", "score", "roc_auc"]
    assert board["front"].tolist() == [True] * 4 + [False] * 5
    assert board.loc[1, "model_bytes"] == 900
    assert board.loc[board.trial == 6, "model_bytes"].isna().all()
    board = leaderboard(LIMITS, search=LIMITED)
    assert board.columns[:6].tolist() == ["trial", "state", "family", "score", "excess", "model_bytes"]
    assert board.set_index("trial")["excess"].loc[[7, 6, 0]].tolist() == [0, 0.2, 3.0]
    assert board.set_index("trial")["excess"].loc[[4, 8]].isna().all()
    assert "front" not in board
    assert {"front", "excess", "model_bytes"}.isdisjoint(leaderboard(RECORDS).columns)
