import numpy as np
import pytest

from automl.records import Curve, TrialRecord
from automl.select import best_record, leaderboard, ranked


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
def test_trials_that_were_not_pruned_lead_by_score_and_equal_ones_by_age(order):
    assert [one.number for one in ranked(RECORDS[::order])] == [8, 3, 4, 1, 6, 2, 7, 5, 9, 0]


def test_the_best_was_not_pruned_however_good_it_was():
    assert best_record(RECORDS).number == 8
    assert best_record(RECORDS[:8]).number == 3


def test_one_that_saw_samples_alone_stands_among_the_pruned():
    def stopped(number, *rungs):
        return record(number, "stopped", 0.99, curve=Curve(rungs=rungs, epoch_steps=16))

    sampled, whole = stopped(20, 1, 4), stopped(21, 1, 4, 16)
    assert (sampled.early, whole.early) == (True, False)
    assert [one.number for one in ranked([*RECORDS, sampled])][5:8] == [20, 2, 7]
    assert best_record([*RECORDS, sampled, whole]).number == 21
    assert leaderboard([sampled, whole])["epochs"].tolist() == [1, 0.25]


def test_where_there_is_no_other_the_best_of_the_pruned_wins():
    pruned = [one for one in RECORDS if one.state in ("pruned", "failed")]
    assert best_record(pruned).number == 2
    assert best_record([RECORDS[0], RECORDS[5]]) is None
    assert best_record([]) is None


def test_the_leaderboard_is_a_table_of_what_people_ask_for():
    curve = Curve(losses=(0.7, 0.6, 0.5), learning_rates=(0.1,) * 3, rungs=(1, 2), scores=(0.5, 0.7))
    records = [
        record(4, "failed", None, fold_scores=(), reason="diverged"),
        record(2, "complete", 0.7, fold_scores=(0.6, 0.8), metrics={"accuracy": 0.75}, curve=curve,
               params={"model": "linear", "model.linear.hidden_layer_sizes": [4]}, seconds=1.5),
        record(3, "pruned", 0.9, curve=Curve(rungs=(1,), scores=(0.9,)), params={"model": "decision_tree"}),
    ]  # fmt: skip
    table = leaderboard(records, {2: "run2", 4: None})
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


def test_an_empty_leaderboard_is_a_table_too():
    assert len(leaderboard([])) == 0
