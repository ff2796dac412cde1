"""Fold models on disk."""

import pickle

import numpy as np
import pytest

from automl.records import TrialRecord
from automl.select import OutOfFold, fold_models
from automl.select.fold_models import delete_fold_models, load_fold_models, save_fold_models

FOLDS = [(np.array([0, 1]), np.array([2, 3])), (np.array([2, 3]), np.array([0, 1]))]


def test_fold_models_are_read_as_they_were_written(tmp_path):
    save_fold_models(tmp_path, 3, [{"a": 1}, np.arange(3)])
    first, second = load_fold_models(tmp_path, 3)
    assert first == {"a": 1}
    assert second.tolist() == [0, 1, 2]
    delete_fold_models(tmp_path, 3)
    assert load_fold_models(tmp_path, 3) is None


def test_fold_models_above_the_limit_leave_no_file(tmp_path, monkeypatch):
    size = len(pickle.dumps([np.arange(1000)], protocol=pickle.HIGHEST_PROTOCOL))
    monkeypatch.setattr(fold_models, "_MAX_BYTES", size)
    save_fold_models(tmp_path, 1, [np.arange(1000)])
    save_fold_models(tmp_path, 2, [np.arange(1001)])
    assert [file.name for file in tmp_path.iterdir()] == ["1.pickle"]


def test_fold_models_in_a_folder_that_is_gone_raise(tmp_path):
    with pytest.raises(FileNotFoundError):
        save_fold_models(tmp_path / "absent", 1, [0])


def test_out_of_fold_deletes_the_models_of_worse_trials(tmp_path):
    found = OutOfFold(tmp_path / "predictions", np.zeros(4), FOLDS, models=tmp_path)
    for number in range(14):
        save_fold_models(tmp_path, number, [number])
        family = "linear" if number < 13 else "mlp"
        score = -1.0 if family == "mlp" else float(number)
        found.add(
            TrialRecord(
                number=number,
                configuration={},
                params={},
                seed=0,
                state="complete",
                family=family,
                score=score,
            )
        )
    kept = sorted(int(file.stem) for file in tmp_path.glob("*.pickle"))
    assert kept == [0, *range(3, 14)]  # the ten best, and the first and the best of each family
    assert found.fold_models(13) == [13]
    assert found.fold_models(1) is None
