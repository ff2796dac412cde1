from __future__ import annotations

import pytest
from matplotlib.figure import Figure

import automl
from tests.support.studies import SPACE
from tests.support.tables import small


def test_search_plot_draws_its_trials(folder):
    search = automl.Search(SPACE, n_trials=4, timeout=None, n_jobs=1, progress=False, refit=False).fit(
        *small()
    )
    figure = search.plot.history()
    assert isinstance(figure, Figure)
    shown = {int(number) for one in figure.axes[0].collections for number, _ in one.get_offsets()}
    assert shown == set(search.leaderboard_.query("score == score").trial)
    assert search.plot.importances().axes


def test_search_plot_needs_a_fit():
    with pytest.raises(AttributeError, match="not fitted"):
        _ = automl.Search().plot
