"""`FittedSearch`: the methods of a search after `fit`: predictions, scores, replay, export."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from automl.errors import Fault, NoModelError, SettingError
from automl.export import ModelFormat, What
from automl.records import TrialRecord
from automl.search.analysis import study_results, winner_predictions, write_report
from automl.search.evaluating import evaluation
from automl.search.explaining import explained, explained_row
from automl.search.family_models import best_of_families, with_test_scores
from automl.search.finish import Winner
from automl.search.full_fit import FullFit
from automl.search.refit import trial_pipeline
from automl.search.replay import Replay, find_trial, replay_number
from automl.search.sklearn_results import SearchResults
from automl.select import CorrectedScore, OutOfFold, leaderboard, pareto_front
from automl.study import Study, read_records
from automl.table import Block, RowBlocks
from automl.tracking import NullProgress, no_autologging, open_progress

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from automl.explain import Explanation
    from automl.report import Plots, StudyResults

__all__ = ["FittedSearch"]

_KEPT = ("_winner", "_records", "_run_ids")


def _model_has(*methods: str) -> Callable[[FittedSearch], bool]:
    """Return a check of whether the model has one of the methods; before ``fit``, a classifier has the first."""

    def has(search: FittedSearch) -> bool:
        model = getattr(search, "ensemble_", getattr(search, "best_estimator_", None))
        if model is None and search.refit and not hasattr(search, "best_trial_"):
            return methods[-1] == "predict_proba" and is_classifier(search)
        return any(hasattr(model, method) for method in methods)

    return has


class FittedSearch(SearchResults):
    """The methods of `Search` that need a finished search; `Search` adds the settings and ``fit``."""

    _run_ids: dict[int, str | None]
    corrected_score_: CorrectedScore | None
    out_of_fold_: OutOfFold
    progress: bool
    random_state: int
    refit: bool
    storage: Any
    study_: Study
    tracking_uri: str | None

    def predict(self, X: Any) -> Any:
        """Return predictions of the ensemble, or of the best pipeline without one; shape (n,).

        ``X`` is a table, or the path of a file, of which a Parquet file is read a block at a time. To write the
        predictions to a file, see `automl.predict_file`.
        """
        return self._predicted("predict", X)

    @available_if(_model_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Return class probabilities, shape (n, n_classes), in the order of ``classes_``."""
        return self._predicted("predict_proba", X)

    @available_if(_model_has("predict_log_proba", "predict_proba"))
    def predict_log_proba(self, X: Any) -> Any:
        """Return logarithms of the class probabilities, shape (n, n_classes)."""
        if hasattr(self._model(), "predict_log_proba"):
            return self._predicted("predict_log_proba", X)
        with np.errstate(divide="ignore"):  # the logarithm of 0
            return np.log(self.predict_proba(X))

    @available_if(_model_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Return decision scores, shape (n,) or (n, n_classes)."""
        return self._predicted("decision_function", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score of the ensemble, or of the best pipeline without one, on other rows, by ``scoring``."""
        return self._winner.score(self._model(), X, y, sample_weight)

    @no_autologging()
    def evaluate(self, X: Any, y: Any, *, families: bool = False, sample_weight: Any = None) -> pd.DataFrame:
        """Return the score and all metrics of the task on other rows, for the best pipeline and the ensemble.

        Parameters
        ----------
        X, y : table and target
            Rows that the search did not see.
        families : bool, default=False
            Whether to train the best trial of each family on all rows of the search, and evaluate it too.
        sample_weight : array-like of shape (n,), optional
            Row weights.

        Returns
        -------
        DataFrame
            A row each: ``best``, ``ensemble`` if there is one, and the families.
        """
        models = {"best": self._model("best")}
        if hasattr(self, "ensemble_"):
            models["ensemble"] = self.ensemble_
        if families:
            found = best_of_families(self._winner, self._records, self.best_estimator_)
            models |= {family: model for family, (_, model) in found.items()}
        plan = self._winner.plan
        return evaluation(models, X, y, plan.target, plan.objectives.metric, sample_weight)

    def leaderboard(self, X: Any = None, y: Any = None, *, wide: bool = False) -> pd.DataFrame:
        """Return the leaderboard: one row for each distinct configuration, the ensemble and the baseline.

        Parameters
        ----------
        X, y : table and target, optional
            Rows that the search did not see. They add the column ``test``: the score of the best trial of each family,
            trained on all rows of the search, of the ensemble and of the baseline.
        wide : bool, default=False
            Whether to add the epochs, all metrics, and a column for each parameter under its dotted name.

        Returns
        -------
        DataFrame
            ``rank`` as index; ``trial``, ``state``, ``family``, ``score``, ``corrected`` (of the best trial),
            ``score_std``, ``seconds``, ``reason``, ``parameters``, ``repeats`` and ``run_id``.
        """
        check_is_fitted(self, "best_trial_")
        facts, corrected = self._winner.facts, self.corrected_score_
        score = None if corrected is None else corrected.score
        ensemble, baseline = self._winner.ensemble.record, self._winner.baseline
        table = leaderboard(self._records, self._run_ids, facts, ensemble, score, baseline, wide=wide)
        if X is None:
            return table
        self._model("best")
        best = best_of_families(self._winner, self._records, self.best_estimator_)
        models: dict[int | str, Any] = {
            self._winner.record.number: self.best_estimator_,
            **dict(best.values()),
        }
        if hasattr(self, "ensemble_"):
            models["ensemble"] = self.ensemble_
        return with_test_scores(table, models, self._winner, X, y)

    def pipeline(self, number: int) -> Pipeline:
        """Return the pipeline of a trial, not fitted: typed columns, preparation and model.

        Parameters
        ----------
        number : int
            Number of the trial.

        Raises
        ------
        SettingError
            If there is no such trial.
        """
        check_is_fitted(self, "best_trial_")
        return trial_pipeline(find_trial(self._records, number), self._winner.plan, self._winner.facts)

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
            tracking_uri=self.tracking_uri,
            storage=self.storage,
        )

    @no_autologging()
    def replay(self, number: int) -> Replay:
        """Train the trial of that number again, alone, and compare the scores.

        Returns
        -------
        Replay
            Both records; ``same`` says whether the scores are equal within rounding. ``print`` shows them.

        Raises
        ------
        SettingError
            If there is no such trial, or it was stopped before it had a score.
        """
        check_is_fitted(self, "best_trial_")
        context = self._winner.plan.worker_context(self._winner.facts)
        return replay_number(context, read_records(self.study_), number)

    def export(self, path: str | Path, what: What = "auto", *, format: ModelFormat = "mlflow") -> Path:
        """Write the model as an MLflow model folder, which `automl.load_model` and MLflow load, or as an ONNX file.

        Parameters
        ----------
        path : str or Path
            A folder that does not exist, or is empty; for ONNX a new file.
        what : {"auto", "best", "ensemble"}
            The model that `predict` uses, the best pipeline, or the ensemble.

        format : {"mlflow", "onnx"}
            ONNX needs ``pip install 'automl-orchestrator[onnx]'``. Its inputs are the columns, each of shape (n, 1):
            float64 for numbers, text for categories.

        Returns
        -------
        Path
            The folder or the file.

        Raises
        ------
        SettingError
            If the folder is not empty, a word is unknown, or a step of the pipeline has no form in ONNX.
        NoModelError
            If there is no ensemble.
        """
        return self._winner.save(self._model(what), path, format)

    def _predicted(self, method: str, X: Any) -> Any:
        """Call a method of the model; a table without rows gives an empty array of the right shape."""
        predict = getattr(self._model(), method)
        if isinstance(X, str | PathLike):
            return np.concatenate([self._predicted(method, block.frame) for block in self._blocks(X)])
        if getattr(X, "shape", None) is None or tuple(X.shape[:1]) != (0,):
            return predict(X)
        return predict(self._winner.plan.example)[:0]

    def _blocks(self, file: str | PathLike[str]) -> Iterator[Block]:
        """Yield the rows of a file without the target, a block at a time."""
        target = self._winner.facts.target
        with RowBlocks(file) as rows:
            for block in rows:
                yield replace(block, frame=block.frame.drop(columns=target, errors="ignore"))

    def _forget(self) -> None:
        """Delete the attributes of an earlier fit."""
        for name in [name for name in vars(self) if name in _KEPT or name[-1] == "_" != name[0]]:
            delattr(self, name)

    def _keep(self, winner: Winner, records: Sequence[TrialRecord]) -> None:
        plan, best = winner.plan, winner.record
        self._winner, self._records = winner, tuple(records)
        self.pareto_front_ = pareto_front(records, winner.facts)
        self.task_ = plan.target.task
        self.left_out_ = list(plan.excluded)
        self.best_trial_ = best
        self.best_params_, self.best_score_ = best.params, cast(float, best.score)
        self.feature_names_in_ = plan.columns.feature_names_in_
        self.n_features_in_ = plan.columns.n_features_in_
        if plan.target.classes is not None:
            self.classes_ = plan.target.classes
        if plan.target.positive_class is not None:
            self.positive_class_ = plan.target.positive_class

    def _keep_refit(self, fit: FullFit) -> None:
        self.best_estimator_, self.fitted_rows_ = fit.pipeline, fit.n_rows
        if fit.reason:
            family, all_rows = self._winner.record.family, self._winner.facts.table_rows
            text = f"The best pipeline ({family}) was fitted to {fit.n_rows:,} of {all_rows:,} rows: {fit.reason}."
            warnings.warn(text, stacklevel=3)

    def _keep_ensemble(self, winner: Winner) -> None:
        self._winner = winner
        if winner.ensemble.estimator is not None:
            self.ensemble_ = winner.ensemble.estimator

    def _model(self, what: str = "auto") -> Any:
        check_is_fitted(self, "best_trial_")
        if what not in get_args(What):
            raise SettingError(Fault("what", f"must be one of {', '.join(get_args(What))}", repr(what)))
        if not hasattr(self, "best_estimator_"):
            raise NoModelError("no pipeline was fitted on all rows: the search had refit=False")
        if what == "ensemble" and not hasattr(self, "ensemble_"):
            raise NoModelError(f"the search has no ensemble: {self._winner.ensemble.record.reason}")
        return self.best_estimator_ if what == "best" else getattr(self, "ensemble_", self.best_estimator_)
