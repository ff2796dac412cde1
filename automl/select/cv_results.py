"""The trials of a search in the form of scikit-learn's ``cv_results_``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.records import SearchRecord, TrialRecord
from automl.select.ranking import rank

__all__ = ["cv_results"]


def cv_results(records: Sequence[TrialRecord], search: SearchRecord) -> dict[str, Any]:
    """Return the trials by number, as the dict that scikit-learn's searches have as ``cv_results_``.

    Parameters
    ----------
    records : sequence of TrialRecord
        The trials.
    search : SearchRecord
        The search, for its folds and objectives.

    Returns
    -------
    dict of str to array of shape (n_trials,)
        ``params`` (list of dict), ``param_NAME`` (masked where the trial has no such parameter),
        ``split0_test_score`` and so on, ``mean_test_score``, ``std_test_score``, ``rank_test_score`` (1: the best, in
        the order of the leaderboard), ``mean_fit_time`` (seconds a fold), ``mean_score_time`` and ``std_score_time``
        (seconds to predict and score a fold), ``trial`` (number) and ``state``. With several objectives also
        ``mean_test_OBJECTIVE``. Scores and times that a trial lacks are NaN.
    """
    trials = sorted(records, key=lambda record: record.number)
    places = {record.number: place for place, record in enumerate(rank(trials, search), 1)}
    splits = np.full((len(trials), search.n_folds), np.nan)
    for row, record in zip(splits, trials, strict=True):
        row[: len(record.fold_scores)] = record.fold_scores[: search.n_folds]
    means = [np.nan if record.score is None else record.score for record in trials]
    scoring = [record.score_seconds or (np.nan,) for record in trials]
    found: dict[str, Any] = {
        "trial": np.array([record.number for record in trials]),
        "state": np.array([record.state for record in trials], dtype=object),
        "mean_fit_time": np.array(
            [record.seconds / (len(record.fold_scores) or search.n_folds) for record in trials]
        ),
        "mean_score_time": np.array([np.mean(seconds) for seconds in scoring]),
        "std_score_time": np.array([np.std(seconds) for seconds in scoring]),
        **_params(trials),
        "params": [dict(record.params) for record in trials],
        **{f"split{fold}_test_score": splits[:, fold] for fold in range(search.n_folds)},
        "mean_test_score": np.array(means, dtype=float),
        "std_test_score": np.array([np.std(record.fold_scores or (np.nan,)) for record in trials]),
        "rank_test_score": np.array([places[record.number] for record in trials], dtype=np.int32),
    }
    if search.several:
        for name in search.objectives:
            values = [record.values.get(name, np.nan) for record in trials]
            found[f"mean_test_{name}"] = np.array(values, dtype=float)
    return found


def _params(trials: Sequence[TrialRecord]) -> dict[str, np.ma.MaskedArray[Any, Any]]:
    """Return a masked array for each parameter of any trial."""
    names = dict.fromkeys(name for record in trials for name in record.params)
    found = {}
    for name in names:
        values = np.empty(len(trials), dtype=object)
        for row, record in enumerate(trials):
            values[row] = record.params.get(name)
        missing = [name not in record.params for record in trials]
        found[f"param_{name}"] = np.ma.MaskedArray(values, mask=missing)
    return found
