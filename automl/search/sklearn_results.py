"""`SearchResults`: the attributes of a finished search that scikit-learn's own searches have."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from automl.records import TrialRecord
from automl.search.finish import Winner
from automl.select import cv_results

__all__ = ["SearchResults"]


class SearchResults(BaseEstimator):
    """The trials of a finished search, with the names that `GridSearchCV` uses."""

    _winner: Winner
    _records: tuple[TrialRecord, ...]

    @property
    def cv_results_(self) -> dict[str, Any]:
        """All trials by number: parameters, the scores of the folds, their mean, the rank; see `cv_results`."""
        check_is_fitted(self, "best_trial_")
        return cv_results(self._records, self._winner.facts)

    @property
    def best_index_(self) -> int:
        """Position of the best trial in ``cv_results_``."""
        check_is_fitted(self, "best_trial_")
        return sorted(record.number for record in self._records).index(self._winner.record.number)

    @property
    def n_splits_(self) -> int:
        """Number of folds."""
        check_is_fitted(self, "best_trial_")
        return self._winner.facts.n_folds

    @property
    def multimetric_(self) -> bool:
        """Whether the search has several objectives."""
        check_is_fitted(self, "best_trial_")
        return self._winner.facts.several
