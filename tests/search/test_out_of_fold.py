"""The out-of-fold predictions that a search keeps beside its study."""

import os

import numpy as np
import pytest

from automl.search import Search
from tests.support.killed import killed_after
from tests.support.tables import cancer

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}, "max_epochs": [2, 4]},
                "decision_tree": {"max_depth": {"low": 1, "high": 6}},
                "lightgbm": {"n_estimators": 20, "num_leaves": {"low": 2, "high": 8}},
            }
        }
    }
}


def search(**changed):
    settings = {"n_trials": 12, "timeout": None, "n_jobs": 1, "cv": 3, "progress": False, "pruner": "median"}
    settings |= changed
    return Search(SPACE, study_name="s", refit=False, **settings).fit(*cancer())


def files(folder):
    return {
        file.name: file.read_bytes() for file in sorted((folder / "mlruns/studies/s.predictions").iterdir())
    }


@pytest.fixture(scope="module")
def kept(empty_store, tmp_path_factory):
    """Return an undisturbed search and its files."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = search()
        yield found, files(folder)


def test_out_of_fold_predictions_give_the_scores_of_the_leaderboard(kept):
    found, _ = kept
    out, metric = found.out_of_fold_, found._winner.plan.objectives.metric
    assert {record.family for record in out.records} == {"linear", "decision_tree", "lightgbm"}
    for record in out.records:
        predictions = out.predictions(record.number)
        scores = []
        for fold in range(3):
            rows = out.fold == fold
            part = type(predictions)(predictions.values[rows], predictions.probabilities[rows])
            scores.append(metric(out.y[rows], part))
        assert np.allclose(scores, record.fold_scores, atol=1e-6)
        assert np.isclose(np.mean(scores), record.score, atol=1e-6)


def test_out_of_fold_predictions_are_those_of_complete_distinct_trials(kept):
    found, names = kept
    assert sorted(names) == sorted(f"{one.number}.probabilities.npy" for one in found.out_of_fold_.records)
    assert all(one.state == "complete" and not one.repeats for one in found.out_of_fold_.records)
    assert found.out_of_fold_.records[0] == found.best_trial_


def test_out_of_fold_predictions_are_the_same_for_two_jobs(kept, folder):
    search(n_jobs=2)
    assert files(folder) == kept[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("after", [1, 7])
def test_out_of_fold_predictions_are_the_same_after_kill_and_resume(kept, folder, after):
    killed_after(after, search)
    search()
    assert files(folder) == kept[1]


def test_out_of_fold_predictions_of_a_study_in_memory_are_in_a_temporary_folder(folder):
    import optuna

    found = search(storage=optuna.storages.InMemoryStorage(), n_trials=2)
    assert found.out_of_fold_.predictions(found.best_trial_.number) is not None
    assert not (folder / "mlruns/studies").exists()
