"""The data of figures and of the report: records and facts of a search, and results derived from them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from automl.errors import Fault, SettingError, nearest, without_passwords
from automl.explain import Explanation
from automl.metrics import Predictions
from automl.records import EnsembleRecord, SearchRecord, TrialRecord
from automl.select import CorrectedScore, best_record, rank

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RowPredictions", "StudyResults"]


@dataclass(frozen=True)
class RowPredictions:
    """Predictions for rows with known targets.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class codes or numbers.
    predictions : Predictions
        The predictions.
    classes : tuple or None
        Labels of the codes; None for numbers.
    source : str
        The model and the rows, for titles.
    """

    y: npt.NDArray[Any]
    predictions: Predictions
    classes: tuple[Any, ...] | None
    source: str


@dataclass(frozen=True)
class StudyResults:
    """The trials of a search.

    Parameters
    ----------
    facts : SearchRecord
        Task, table, objectives, folds.
    records : tuple of TrialRecord
        The trials that have ended.
    importances : dict of str to dict of str to float
        Importance of each parameter for the score, by family and dotted name.
    predictions : RowPredictions or None
        Out-of-fold predictions of the best trial.
    corrected : CorrectedScore or None
        The best trial's score, corrected for its selection.
    ensemble : EnsembleRecord or None
        The ensemble.
    explanation : Explanation or None
        Importance of columns and effects of values.
    coefficients, tree_importances : DataFrame and Series, or None
        Those of the fitted best pipeline, as in an explanation.
    run_id : str
        MLflow run of the search; empty if it has none.
    model_uri : str
        URI of the logged model; empty if there is none.
    tracking_uri, storage : str
        MLflow store and storage of the study; empty for the default ones.
    """

    facts: SearchRecord
    records: tuple[TrialRecord, ...]
    importances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    predictions: RowPredictions | None = None
    corrected: CorrectedScore | None = None
    ensemble: EnsembleRecord | None = None
    explanation: Explanation | None = None
    coefficients: pd.DataFrame | None = None
    tree_importances: pd.Series[float] | None = None
    run_id: str = ""
    model_uri: str = ""
    tracking_uri: str = ""
    storage: str = ""

    @property
    def store_option(self) -> str:
        """Option of the command line for the MLflow store, with a space in front; empty for the default store."""
        return _option("--tracking-uri", self.tracking_uri)

    @property
    def storage_option(self) -> str:
        """Option of the command line for the storage of the study."""
        return _option("--storage", self.storage)

    @property
    def score_name(self) -> str:
        """Name of the first objective, which ranks the trials."""
        return self.facts.objectives[0]

    @cached_property
    def scored(self) -> list[TrialRecord]:
        """The trials with a score, in the order of their numbers."""
        return sorted((one for one in self.records if one.score is not None), key=lambda one: one.number)

    @cached_property
    def best(self) -> TrialRecord | None:
        """The best trial."""
        return best_record(self.records, self.facts)

    @cached_property
    def by_family(self) -> dict[str, list[TrialRecord]]:
        """The trials with a score of each family, best first; the best family first."""
        families: dict[str, list[TrialRecord]] = {}
        for record in rank(self.scored, self.facts):
            families.setdefault(record.family, []).append(record)
        return families

    def family(self, name: str | None) -> str:
        """Return the name of a family; None is the family of the best trial.

        Raises
        ------
        SettingError
            If no trial of that family has a score.
        """
        self.require_scores()
        if name is None:
            return next(iter(self.by_family))
        if name not in self.by_family:
            remedy = nearest(name, list(self.by_family))
            raise SettingError(Fault("family", "must have a trial with a score", f'"{name}"', remedy))
        return name

    def require_scores(self) -> None:
        """Raise SettingError if no trial has a score."""
        if not self.scored:
            raise SettingError(Fault("figure", "needs a trial with a score", f"{len(self.records)} without"))


def _option(name: str, value: str) -> str:
    return f" {name} {shlex.quote(without_passwords(value))}" if value else ""
