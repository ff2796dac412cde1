"""`FittedSearch`: the methods of a search after `fit`: predictions, scores, replay, export."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from automl.ensemble import CalibratedClassifier
from automl.errors import Fault, NoModelError, SettingError
from automl.export import ModelFormat, What
from automl.records import TrialRecord
from automl.search.calibrating import calibrated_model
from automl.search.evaluating import evaluation
from automl.search.family_models import best_of_families, with_test_scores
from automl.search.finish import Winner
from automl.search.full_fit import FullFit
from automl.search.refit import trial_pipeline
from automl.search.replay import Replay, find_trial, replay_number
from automl.search.scratch import scratch_folder
from automl.search.shown_search import ShownSearch
from automl.select import leaderboard, pareto_front
from automl.study import read_records
from automl.table import RowBlocks
from automl.tracking import no_autologging

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


__all__ = ["FittedSearch"]

_KEPT = ("_winner", "_records", "_run_ids")


def _model_has(*methods: str) -> Callable[[FittedSearch], bool]:
    """Return a check of whether the model has one of the methods; before ``fit``, a classifier has the first."""

    def has(search: FittedSearch) -> bool:
        models = (getattr(search, name, None) for name in ("calibrated_", "ensemble_", "best_estimator_"))
        model = next((one for one in models if one is not None), None)
        if model is None and search.refit and not hasattr(search, "best_trial_"):
            return methods[-1] == "predict_proba" and is_classifier(search)
        return any(hasattr(model, method) for method in methods)

    return has


class FittedSearch(ShownSearch):
    """The methods of `Search` that need a finished search; `Search` adds the settings and ``fit``."""

    _run_ids: dict[int, str | None]
    calibrate: str | None
    calibrated_: CalibratedClassifier
    encoding: str | None
    random_state: int
    refit: bool
    scratch: str | None
    separator: str | None
    threshold: str | None

    def predict(self, X: Any) -> Any:
        """Return predictions of the ensemble, or of the best pipeline without one; shape (n,).

        ``X`` is a table, or the path of a file, of which a Parquet file is read a block at a time. A text file is read
        with the search's encoding and separator. To write the predictions to a file, see `automl.predict_file`.
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
        return self._winner.score(self._served(), X, y, sample_weight)

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
            A row each: ``best``, ``ensemble`` and ``calibrated`` if there are such models, and the families.
        """
        models = {"best": self._model("best")}
        if hasattr(self, "ensemble_"):
            models["ensemble"] = self.ensemble_
        if hasattr(self, "calibrated_"):
            models["calibrated"] = self.calibrated_
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
            ``rank`` as index; ``trial``, ``state``, ``family``, ``score``, ``corrected`` (of the best trial,
            with its interval ``corrected_low`` to ``corrected_high``), ``score_std``, ``seconds``, ``reason``,
            ``parameters``, ``repeats`` and ``run_id``.
        """
        check_is_fitted(self, "best_trial_")
        facts, corrected = self._winner.facts, self.corrected_score_
        ensemble, baseline = self._winner.ensemble.record, self._winner.baseline
        table = leaderboard(self._records, self._run_ids, facts, ensemble, corrected, baseline, wide=wide)
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
            If the folder is not empty, a word is unknown, or a step of the pipeline cannot be converted to ONNX.
        NoModelError
            If there is no ensemble.
        """
        return self._winner.save(self._served(what), path, format)

    def _predicted(self, method: str, X: Any) -> Any:
        """Call a method of the model; a table without rows gives an empty array of the right shape."""
        predict = getattr(self._served(), method)
        if isinstance(X, str | PathLike):
            return self._predicted_file(method, X)
        if getattr(X, "shape", None) is None or tuple(X.shape[:1]) != (0,):
            return predict(X)
        return predict(self._winner.plan.example)[:0]

    def _predicted_file(self, method: str, file: str | PathLike[str]) -> Any:
        """Call a method of the model on the rows of a file without the target, a block at a time."""
        target, found = self._winner.facts.target, []
        with self._row_blocks(file) as rows:
            for block in rows:
                with rows.errors_within(block):
                    frame = block.frame.drop(columns=target, errors="ignore")
                    found.append(self._predicted(method, frame))
        return np.concatenate(found)

    def _row_blocks(self, file: str | PathLike[str]) -> RowBlocks:
        """Open a file, with the settings of the search or else as its table was read."""
        own = {"encoding": self.encoding, "separator": self.separator}
        reading = {
            **self._winner.facts.reading,
            **{name: value for name, value in own.items() if value is not None},
        }
        size = RowBlocks.scratch_bytes(file)
        with scratch_folder(self.scratch, size) if size else nullcontext():
            return RowBlocks(file, **reading)

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
        self.best_estimator_, self.fitted_rows_, self.refit_time_ = fit.pipeline, fit.n_rows, fit.seconds
        if fit.reason:
            family, facts = self._winner.record.family, self._winner.facts
            all_rows = facts.table_rows or facts.n_rows
            text = f"The best pipeline ({family}) was fitted to {fit.n_rows:,} of {all_rows:,} rows: {fit.reason}."
            warnings.warn(text, stacklevel=3)

    def _keep_ensemble(self, winner: Winner) -> None:
        self._winner = winner
        if winner.ensemble.estimator is not None:
            self.ensemble_ = winner.ensemble.estimator

    def _keep_calibrated(self, winner: Winner) -> None:
        calibrate, threshold = self.calibrate == "auto", self.threshold == "auto"
        if not (calibrate or threshold):
            return
        found = calibrated_model(
            self._model(), winner, self.out_of_fold_, calibrate=calibrate, threshold=threshold
        )
        if found is not None:
            self.calibrated_ = found

    def _served(self, what: str = "auto") -> Any:
        """Return the model that predicts: calibrated if that is better, and not another one is asked for."""
        model = self._model(what)
        return getattr(self, "calibrated_", model) if what == "auto" else model

    def _model(self, what: str = "auto") -> Any:
        check_is_fitted(self, "best_trial_")
        if what not in get_args(What):
            raise SettingError(Fault("what", f"must be one of {', '.join(get_args(What))}", repr(what)))
        if not hasattr(self, "best_estimator_"):
            raise NoModelError("no pipeline was fitted on all rows: the search had refit=False")
        if what == "ensemble" and not hasattr(self, "ensemble_"):
            raise NoModelError(f"the search has no ensemble: {self._winner.ensemble.record.reason}")
        return self.best_estimator_ if what == "best" else getattr(self, "ensemble_", self.best_estimator_)
