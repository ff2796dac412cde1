from __future__ import annotations

import sys

import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient

import automl
from automl.cli import main
from automl.errors import SettingError
from automl.search import study_leaderboard
from tests.support.html import Page
from tests.support.studies import SPACE
from tests.support.tables import small


def test_search_plot_draws_its_trials(folder):
    search = automl.Search(SPACE, n_trials=4, timeout=None, n_jobs=1, progress=False, refit=False).fit(
        *small()
    )
    figure = search.plot.history()
    assert isinstance(figure, Figure)
    shown = {int(number) for one in figure.axes[0].collections for number, _ in one.get_offsets()}
    assert shown == set(search.leaderboard_.query("score == score").trial.dropna())
    assert search.plot.importances().axes
    corrected = search.corrected_score_
    assert corrected.selected == pytest.approx(search.best_score_, abs=1e-6)
    assert corrected.low < corrected.score < corrected.high
    assert corrected.baseline == pytest.approx(0.5)
    assert search.leaderboard_["corrected"].dropna().tolist() == [corrected.score]
    metrics = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(search.run_id_).data.metrics
    assert metrics["corrected_score"] == pytest.approx(corrected.score)
    assert (metrics["corrected_low"], metrics["corrected_high"]) == pytest.approx(
        (corrected.low, corrected.high)
    )
    assert metrics["beats_baseline"] == pytest.approx(corrected.beats_baseline)
    assert metrics["beats_default"] == pytest.approx(corrected.beats_default)
    ends = search.leaderboard_[["corrected_low", "corrected_high"]].dropna().to_numpy().tolist()
    assert ends == [[corrected.low, corrected.high]]
    board = study_leaderboard(search.study_)
    assert board.filter(like="corrected").equals(search.leaderboard_.filter(like="corrected"))
    correct = float(search.plot.confusion().axes[0].get_title().partition("%")[0])
    sizes = [len(valid) for _, valid in search._winner.plan.folds]
    assert len(set(sizes)) == 1  # so that the mean over folds is that over rows
    assert correct == pytest.approx(100 * search.best_trial_.metrics["accuracy"], abs=0.06)


def test_search_plot_needs_a_fit():
    with pytest.raises(AttributeError, match="not fitted"):
        _ = automl.Search().plot


def test_search_report_is_a_file_and_an_artifact(folder, monkeypatch, capsys):
    search = automl.Search(
        SPACE, n_trials=2, timeout=None, n_jobs=1, progress=False, study_name="a b", refit=False
    ).fit(*small())
    written = search.report("mine.html").read_text()
    assert "a b" in Page(written).text
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    assert "report.html" in [one.path for one in client.list_artifacts(search.run_id_)]
    monkeypatch.setattr(sys, "argv", ["automl", "report", "a b", "-o", "theirs.html"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    assert "report written to theirs.html" in capsys.readouterr().out
    theirs = Page((folder / "theirs.html").read_text())
    assert theirs.cells == Page(written).cells
    assert "best trial, corrected" in theirs.cells
    assert "Expected on new rows" in theirs.text
    with pytest.raises(SettingError, match="path: must be a file that can be written; got no/such.html"):
        search.report("no/such.html")
