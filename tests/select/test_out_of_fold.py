import gc
from pathlib import Path

import numpy as np
import pytest

from automl.metrics import Predictions
from automl.records import TrialRecord
from automl.select import OutOfFold, pack_predictions, put_predictions, save_predictions

Y = np.array([0, 1, 1, 0, 1, 0])
FOLDS = [(np.array([1, 2, 3, 5]), np.array([0, 4])), (np.array([0, 2, 4]), np.array([1, 3, 5]))]


def record(number, score, family="linear", state="complete", **more):
    return TrialRecord(
        number=number, configuration={}, params={}, seed=0, state=state, family=family, score=score, **more
    )


def out_of_fold(folder):
    return OutOfFold(folder, Y, FOLDS)


def save(folder, number):
    save_predictions(folder, number, [Predictions(np.array([0, 1])), Predictions(np.array([1, 1, 0]))])


def saved(folder):
    return sorted(int(file.name.partition(".")[0]) for file in folder.iterdir())


def test_out_of_fold_rows_are_the_validation_rows_fold_by_fold(tmp_path):
    found = out_of_fold(tmp_path)
    assert found.rows.tolist() == [0, 4, 1, 3, 5]
    assert found.fold.tolist() == [0, 0, 1, 1, 1]
    assert found.y.tolist() == Y[[0, 4, 1, 3, 5]].tolist()


def test_save_predictions_keeps_probabilities_as_float32(tmp_path):
    probabilities = np.random.default_rng(0).dirichlet([1, 1, 1], 5)
    parts = [Predictions(part.argmax(1), probabilities=part) for part in np.split(probabilities, [2])]
    save_predictions(tmp_path / "new", 7, parts)
    found = out_of_fold(tmp_path / "new").predictions(7)
    assert found.probabilities.dtype == np.float32
    assert np.allclose(found.probabilities, probabilities, rtol=1e-6)
    assert found.values.tolist() == probabilities.argmax(axis=1).tolist()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["7.probabilities.npy"]


def test_save_predictions_keeps_all_digits_of_numbers(tmp_path):
    values = 1e9 + np.arange(5) / 1000
    save_predictions(tmp_path, 0, [Predictions(part) for part in np.split(values, [2])])
    assert out_of_fold(tmp_path).predictions(0).values.tolist() == values.tolist()


@pytest.mark.parametrize("shape", [(5,), (5, 3)])
def test_save_predictions_keeps_decision_scores(tmp_path, shape):
    decision = np.random.default_rng(0).normal(size=shape)
    codes = (decision > 0).astype(int) if len(shape) == 1 else decision.argmax(axis=1)
    parts = zip(np.split(codes, [2]), np.split(decision, [2]), strict=True)
    save_predictions(tmp_path, 0, [Predictions(values, decision=part) for values, part in parts])
    found = out_of_fold(tmp_path).predictions(0)
    assert np.allclose(found.decision, decision)
    assert found.values.tolist() == codes.tolist()


def test_save_predictions_replaces_those_of_an_earlier_training(tmp_path):
    save(tmp_path, 3)
    save_predictions(tmp_path, 3, [Predictions(np.zeros(2)), Predictions(np.zeros(3), decision=np.ones(3))])
    save(tmp_path, 3)
    assert saved(tmp_path) == [3]


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00v\x00"])
def test_predictions_are_none_where_the_file_is_damaged_or_missing(tmp_path, content):
    found = out_of_fold(tmp_path)
    assert found.predictions(0) is None
    (tmp_path / "0.values.npy").write_bytes(content)
    assert found.predictions(0) is None


def test_predictions_are_none_for_another_number_of_rows(tmp_path):
    save_predictions(tmp_path, 0, [Predictions(np.zeros(9))])
    assert out_of_fold(tmp_path).predictions(0) is None


@pytest.mark.parametrize("seed", range(3))
def test_add_keeps_the_best_and_best_and_first_of_each_family_in_any_order(tmp_path, seed, monkeypatch):
    monkeypatch.setattr("automl.select.out_of_fold._BYTES", 0)  # as few as possible
    rng = np.random.default_rng(0)
    records = [record(n, float(score), "linear") for n, score in enumerate(rng.permutation(60))]
    records += [record(60, -1.0, "mlp"), record(61, -2.0, "mlp"), record(62, -3.0, "lightgbm")]
    found = out_of_fold(tmp_path)
    for one in np.random.default_rng(seed).permutation(np.array(records, dtype=object)):
        save(tmp_path, one.number)
        found.add(one)
    best = sorted(records, key=lambda one: -one.score)[:30]
    assert records[0] not in best
    assert [one.number for one in found.records] == [*(one.number for one in best), 0, 60, 62]
    assert saved(tmp_path) == sorted(one.number for one in found.records)


def test_add_ignores_trials_that_were_pruned_or_failed_or_repeat_another(tmp_path):
    found = out_of_fold(tmp_path)
    first = record(0, 0.5)
    repeat = first.repeated(record(1, 0.5).spec)
    rest = [record(2, 0.9, state="pruned"), record(3, None, state="failed"), record(4, 0.7, state="stopped")]
    for one in (first, repeat, *rest):
        save(tmp_path, one.number)
        found.add(one)
    assert [one.number for one in found.records] == [4, 0]
    assert {0, 4} <= set(saved(tmp_path))
    assert not {2, 3} & set(saved(tmp_path))


def test_out_of_fold_without_a_folder_deletes_its_files_with_the_object():
    found = out_of_fold(None)
    folder = Path(found.folder)
    save(folder, 0)
    assert found.predictions(0).values.tolist() == [0, 1, 1, 1, 0]
    del found
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["probabilities", "decision", "values"])
def test_packed_predictions_are_those_of_a_folder(tmp_path, kind):
    there, here = tmp_path / "there", tmp_path / "here"
    by_fold = [
        Predictions(**{"values": part, kind: part}) for part in (np.array([0.5, 1.5]), np.array([0.1]))
    ]
    save_predictions(there, 3, by_fold)
    save_predictions(here, 3, [Predictions(values=np.array([9.0]))])  # of an earlier attempt
    put_predictions(here, pack_predictions(3, by_fold))
    (file,), (expected,) = here.iterdir(), there.iterdir()
    assert (file.name, file.read_bytes()) == (expected.name, expected.read_bytes())
    assert np.load(file).tolist() == pytest.approx([0.5, 1.5, 0.1])
