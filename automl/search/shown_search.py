"""`ShownSearch`: figures, report and explanations of a finished search."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from automl.errors import Fault, SettingError
from automl.export import What
from automl.search.analysis import study_results, winner_parameters, winner_predictions, write_report
from automl.search.explaining import explained, explained_row
from automl.search.sklearn_results import SearchResults
from automl.select import CorrectedScore, OutOfFold
from automl.study import Study
from automl.tracking import NullProgress, no_autologging, open_progress

if TYPE_CHECKING:
    import pandas as pd

    from automl.explain import Explanation
    from automl.report import Plots, StudyResults

__all__ = ["ShownSearch"]


class ShownSearch(SearchResults):
    """The methods of `Search` that show its results to people."""

    corrected_score_: CorrectedScore | None
    out_of_fold_: OutOfFold
    progress: bool
    storage: Any
    study_: Study
    tracking_uri: str | None

    @property
    def plot(self) -> Plots:
        """The figures of the search, each a method: ``search.plot.history()``."""
        check_is_fitted(self, "best_trial_")
        from automl.report import Plots

        return Plots(self._results)

    def report(self, path: str | Path = "report.html") -> Path:
        """Write the report of the search: one HTML page, which opens offline and prints.

        The report is also an artifact of the search's MLflow run.

        Parameters
        ----------
        path : str or Path, default="report.html"
            The file.

        Returns
        -------
        Path
            The file.
        """
        check_is_fitted(self, "best_trial_")
        return write_report(self._results(), path)

    @no_autologging()
    def explain(
        self, X: Any = None, y: Any = None, *, what: What = "auto", top: int = 4, timeout: float = 60
    ) -> Explanation:
        """Explain the model: important columns, their effects, coefficients, and the rows it is most wrong about.

        Parameters
        ----------
        X, y : table and target, optional
            Rows that the model did not see. None takes the rows of the search: the trial is trained again on each
            fold and explained on the fold's validation rows.
        what : {"auto", "best", "ensemble"}
            The model that `predict` uses, the best pipeline, or the ensemble.
        top : int
            Columns to compute effects of.
        timeout : float
            Seconds; after them nothing more is started.

        Returns
        -------
        Explanation
            ``importances``, ``effects``, ``worst_rows``, ``coefficients`` and ``tree_importances``. Figures:
            ``search.plot.columns()`` and ``search.plot.effects()`` show the last explanation.
        """
        check_is_fitted(self, "best_trial_")
        if (X is None) != (y is None):
            raise SettingError(Fault("X, y", "must be given together", "one of them"))
        refitted = hasattr(self, "best_estimator_")
        model = self._model(what) if refitted or X is not None or what == "ensemble" else None
        averaged = model is not None and model is getattr(self, "ensemble_", None)
        with open_progress() if self.progress else NullProgress() as progress:
            self.explanation_ = explained(
                self._winner,
                self.out_of_fold_,
                self.best_estimator_[1:] if refitted else None,
                self.ensemble_ if averaged else None,
                (X, y),
                top=top,
                seconds=timeout,
                progress=progress.stage,
            )
        return self.explanation_

    def explain_row(self, X: Any, *, what: What = "auto", n_background: int = 50) -> pd.DataFrame:
        """Return how much each raw column moves the prediction of one row, by SHAP; needs the extra ``shap``.

        Parameters
        ----------
        X : table
            One row, such as ``X.iloc[[7]]``.
        what : {"auto", "best", "ensemble"}
            The model that `predict` uses, the best pipeline, or the ensemble.
        n_background : int
            Rows of the search whose values stand in for those of the row.

        Returns
        -------
        DataFrame
            ``value`` and ``contribution`` of each column, largest first. They and ``attrs["mean"]`` sum to the
            prediction: a number, or the probability of the second class. More classes have a column each.
        """
        model = self._model(what)
        members = [(self.best_estimator_[1:], 1.0)]
        if hasattr(model, "members_"):
            members = list(zip(model.members_, model.weights_, strict=True))
        return explained_row(self._winner, members, X, n_background=n_background)

    def _html_summary(self) -> str:
        """Return the results as HTML for a notebook; empty before a search has ended."""
        if not hasattr(self, "leaderboard_"):
            return ""
        from automl.report import html_summary

        return html_summary(self._results())

    def _results(self) -> StudyResults:
        return study_results(
            self.study_,
            self._winner.facts,
            self._records,
            corrected=self.corrected_score_,
            explanation=getattr(self, "explanation_", None),
            predictions=winner_predictions(self._winner, self.out_of_fold_),
            parameters=winner_parameters(self._winner, getattr(self, "best_estimator_", None)),
            tracking_uri=self.tracking_uri,
            storage=self.storage,
        )

    @abstractmethod
    def _model(self, what: str = "auto") -> Any:
        """Return a fitted model of the search."""
