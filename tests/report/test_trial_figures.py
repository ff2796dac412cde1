import numpy as np
import pytest
from matplotlib import rcParams

from automl.errors import SettingError
from automl.report import Plots, StudyResults
from tests.support.trials import search_record, trial_record, trial_records

IMPORTANCES = {"linear": {"model.linear.learning_rate": 0.75, "model.linear.loss": 0.25, "model": 0.0}}


def plots(records=None, importances=IMPORTANCES):
    results = StudyResults(search_record(), trial_records() if records is None else records, importances)
    return Plots(lambda: results)


def points(axes):
    """Return the points of all scatters of a panel, sorted."""
    return sorted(tuple(point) for one in axes.collections for point in one.get_offsets().tolist())


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_history_shows_every_score_and_the_best_so_far():
    (axes,) = plots().history().axes
    low = axes.get_ylim()[0]
    scores = [0.6, 0.7, 0.65, 0.8, 0.75, 0.78, max(0.4, low)]
    assert np.array(points(axes)) == pytest.approx(np.array(list(enumerate(scores))))
    best, failed = axes.lines
    assert list(best.get_ydata()) == [0.6, 0.7, 0.7, 0.8, 0.8, 0.8]
    assert list(failed.get_xdata()) == [7]
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["lightgbm", "linear", "best so far", "no score"]


def test_history_hides_no_outlier():
    records = [trial_record(n, score=0.8 + 0.001 * n) for n in range(9)] + [trial_record(9, score=-1000.0)]
    (axes,) = plots(tuple(records)).history().axes
    low, high = axes.get_ylim()
    assert high - low < 0.1
    assert points(axes)[-1] == pytest.approx((9, low))
    assert "1 below" in axes.get_title()


def test_history_tells_pruned_from_complete_by_filled_marks():
    (axes,) = plots().history().axes
    filled = [len(one.get_facecolors()) for one in axes.collections]
    assert filled == [1, 1, 0]
    assert len({one.get_paths()[0].vertices.tobytes() for one in axes.collections}) == 2  # markers


def test_curves_have_a_panel_for_each_family():
    figure = plots().curves()
    assert titles(figure) == ["lightgbm", "linear"]
    best = next(line for line in figure.axes[0].lines if line.get_label() == "trial 3")
    assert list(best.get_xdata()) == [1, 2]
    assert list(best.get_ydata()) == pytest.approx([0.7, 0.8])
    assert len(figure.axes[0].lines) == 3
    assert [line.get_linestyle() for line in figure.axes[1].lines] == ["--", "-", "-", "-"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["steps of growing", "epochs"]


def test_curves_without_curves_say_so():
    figure = plots((trial_record(0),)).curves()
    assert "no trial has a curve" in figure.axes[0].texts[0].get_text()


def test_families_are_sorted_and_counted():
    left, right = plots().families().axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["lightgbm", "linear"]
    assert [bar.get_width() for bar in right.patches] == [2 + 4 + 6, 1 + 3 + 5]
    assert [text.get_text().strip() for text in right.texts] == ["4 trials", "4 trials"]
    assert [line.get_xdata()[0] for line in left.lines] == [0.8, 0.75]


def test_parameters_show_one_family_with_its_own_axes():
    figure = plots().parameters("linear")
    assert titles(figure) == ["learning_rate", "loss"]
    rate, loss = figure.axes
    assert rate.get_xscale() == "log"
    assert [x for x, _ in points(rate)] == pytest.approx([1e-4, 1e-2, 0.5, 1])
    assert [text.get_text() for text in loss.get_xticklabels()] == ["hinge", "logistic"]
    assert sorted(round(x) for x, _ in points(loss)) == [0, 1, 1]
    assert titles(plots().parameters()) == ["learning_rate", "loss"]
    with pytest.raises(SettingError, match='Did you mean "linear"'):
        plots().parameters("liner")


def test_parameters_of_a_fixed_family_say_so():
    figure = plots((trial_record(0),)).parameters()
    assert figure.axes[0].texts[0].get_text() == "no parameter was searched"


def test_importances_are_shares_of_searched_parameters():
    figure = plots().importances()
    assert titles(figure) == ["linear"]
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.25]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["learning_rate", "loss"]
    assert "too few" in plots(importances={}).importances().axes[0].texts[0].get_text()


@pytest.mark.parametrize("name", ["history", "curves", "families", "parameters", "importances"])
def test_figure_needs_a_score(name):
    with pytest.raises(SettingError, match="needs a trial with a score; got 1 without"):
        getattr(plots((trial_record(0, score=None, state="failed"),)), name)()


@pytest.mark.parametrize("name", ["history", "curves", "families", "parameters", "importances"])
def test_figure_leaves_matplotlib_settings_alone(name):
    before = dict(rcParams)
    figure = getattr(plots(), name)()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert dict(rcParams) == before


def test_names_are_shown_as_text():
    name = "$\\frac{1} $<b>漢字"
    record = trial_record(0, own={name: 1.0}), trial_record(1, own={name: 2.0})
    figure = plots(record).parameters()
    figure._repr_png_()
    assert "frac" in figure.axes[0].get_title()
    assert np.isfinite(figure.axes[0].get_xlim()).all()
