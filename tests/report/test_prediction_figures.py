from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from automl.errors import SettingError
from automl.metrics import Predictions
from automl.report import Plots, RowPredictions, StudyResults
from tests.support.predictions import class_predictions
from tests.support.trials import search_record, trial_records


def plots(y, predictions, classes):
    rows = RowPredictions(y, predictions, classes, "trial 3 out of fold")
    results = StudyResults(search_record(), trial_records(), predictions=rows)
    return Plots(lambda: results)


def of_classes(n_classes, n=60):
    return plots(*class_predictions(n_classes, n), tuple(f"c{i}" for i in range(n_classes)))


def numbers():
    rng = np.random.default_rng(0)
    y = rng.normal(size=500)
    return y, Predictions(y + rng.normal(scale=0.1, size=500))


def test_confusion_counts_rows():
    y, found = np.array([0, 0, 0, 1]), Predictions(np.array([0, 0, 1, 1]))
    (axes,) = plots(y, found, ("no", "$yes$")).confusion().axes
    assert [text.get_text() for text in axes.texts] == ["2", "1", "0", "1"]
    assert axes.collections[0].get_array().reshape(2, 2).tolist() == [[2 / 3, 1 / 3], [0, 1]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["no", r"\$yes\$"]
    assert axes.get_title() == "75.0% correct, trial 3 out of fold"


def test_confusion_merges_rare_classes():
    y = np.concatenate([np.arange(20), np.repeat(np.arange(11), 5)])
    (axes,) = plots(y, Predictions(y), tuple("abcdefghijklmnopqrst")).confusion().axes
    labels = [text.get_text() for text in axes.get_xticklabels()]
    assert labels == [*"abcdefghijk", "others"]
    counts = np.array([int(text.get_text()) for text in axes.texts]).reshape(12, 12)
    assert counts.sum() == len(y)
    assert np.diag(counts).tolist() == [6] * 11 + [9]


def test_roc_of_two_classes_is_that_of_the_second():
    y, found = class_predictions(2)
    left, right = plots(y, found, ("no", "yes")).roc().axes
    area = roc_auc_score(y, found.probabilities[:, 1])
    assert left.get_legend().get_texts()[0].get_text() == f"yes: {area:.3f}"
    curve = left.lines[1]
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(area)
    assert right.lines[1].get_ydata()[0] == 0.5


def test_roc_takes_decision_scores():
    y, found = class_predictions(2)
    decision = Predictions(found.values, decision=np.log(found.probabilities[:, 1]))
    texts = [p.roc().axes[0].get_legend().get_texts()[0].get_text()
             for p in (plots(y, found, ("a", "b")), plots(y, decision, ("a", "b")))]  # fmt: skip
    assert texts[0] == texts[1]


def test_roc_shows_the_largest_six_of_many_classes():
    assert len(of_classes(9, 90).roc().axes[0].get_legend().get_texts()) == 6


def test_calibration_of_a_calibrated_model_is_on_the_diagonal():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    y = (rng.random(20_000) < p).astype(int)
    (axes,) = plots(y, Predictions(y, np.stack([1 - p, p], axis=1)), ("no", "yes")).calibration().axes
    x, true = axes.containers[0].lines[0].get_data()
    assert len(x) == 10
    assert np.abs(true - x).max() < 0.03
    low, high = np.array([segment[:, 1] for segment in axes.containers[0].lines[2][0].get_segments()]).T
    assert ((low <= true) & (true <= high)).all()
    assert ((low < x) & (x < high)).sum() >= 8


def test_calibration_of_numbers_compares_means():
    y, found = numbers()
    (axes,) = plots(y, found, None).calibration().axes
    x, true = axes.containers[0].lines[0].get_data()
    assert np.abs(true - x).max() < 0.1


def test_residuals_show_rows_and_differences():
    y, found = numbers()
    left, right = plots(y, found, None).residuals().axes
    assert left.collections[0].get_offsets().tolist() == np.stack([y, found.values], axis=1).tolist()
    assert sum(bar.get_height() for bar in right.patches) == 500


@pytest.mark.parametrize("name", ["confusion", "roc"])
def test_figures_of_classes_need_classes(name):
    with pytest.raises(SettingError, match=f"{name}: needs classes"):
        getattr(plots(*numbers(), None), name)()


def test_figures_of_predictions_say_what_they_need():
    with pytest.raises(SettingError, match="residuals: needs a numeric target"):
        of_classes(2).residuals()
    y, found = class_predictions(2)
    with pytest.raises(SettingError, match="calibration: needs probabilities"):
        plots(y, Predictions(found.values, decision=y * 1.0), ("a", "b")).calibration()
    without = Plots(lambda: StudyResults(search_record(), trial_records()))
    with pytest.raises(SettingError, match="needs out-of-fold predictions of the best trial; got none"):
        without.confusion()
