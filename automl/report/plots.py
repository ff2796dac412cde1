"""`Plots`: the figures of a search as methods."""

from __future__ import annotations

from collections.abc import Callable

from automl.errors import Fault, SettingError
from automl.explain import Explanation
from automl.report import column_figures, parameter_figures, prediction_figures, trial_figures
from automl.report.results import StudyResults
from automl.report.style import Figure

__all__ = ["Plots"]


class Plots:
    """The figures of a search; each method returns a matplotlib figure.

    Notebooks show a figure; ``figure.savefig("file.png")`` writes it. No method changes pyplot's state.

    Parameters
    ----------
    results : callable
        Returns the data of the search.
    """

    def __init__(self, results: Callable[[], StudyResults]) -> None:
        self._results = results

    def history(self) -> Figure:
        """Return the score of each trial and the best score so far."""
        return trial_figures.history(self._results())

    def curves(self, top: int = 10) -> Figure:
        """Return learning curves of the ``top`` best trials of each family."""
        return trial_figures.curves(self._results(), top)

    def families(self) -> Figure:
        """Return the scores and the training time of each family."""
        return trial_figures.families(self._results())

    def parameters(self, family: str | None = None) -> Figure:
        """Return scores by the values of each parameter of a family; None is the best trial's family."""
        return parameter_figures.parameters(self._results(), family)

    def importances(self, family: str | None = None) -> Figure:
        """Return the importance of each parameter for the score; None shows all families."""
        return parameter_figures.importances(self._results(), family)

    def confusion(self) -> Figure:
        """Return the confusion matrix of out-of-fold predictions."""
        return prediction_figures.confusion(self._results())

    def roc(self) -> Figure:
        """Return ROC and precision-recall curves of out-of-fold predictions."""
        return prediction_figures.roc(self._results())

    def calibration(self) -> Figure:
        """Return how often predicted probabilities come true, for out-of-fold predictions."""
        return prediction_figures.calibration(self._results())

    def residuals(self) -> Figure:
        """Return out-of-fold predictions against targets, and their differences."""
        return prediction_figures.residuals(self._results())

    def columns(self) -> Figure:
        """Return the importance of columns in the last `Search.explain`."""
        return column_figures.columns(self._explanation())

    def effects(self) -> Figure:
        """Return the effects of the most important columns in the last `Search.explain`."""
        return column_figures.effects(self._explanation())

    def _explanation(self) -> Explanation:
        if (found := self._results().explanation) is None:
            raise SettingError(
                Fault("figure", "needs an explanation", "none", "Call search.explain() first.")
            )
        return found
