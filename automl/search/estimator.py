"""`Search`: the scikit-learn estimator that searches a space of pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, RegressorTags

from automl.errors import without_passwords
from automl.metrics import Direction, Scorer, scorer_kind
from automl.search.budget import Budget
from automl.search.checks import checked_search
from automl.search.fitted import FittedSearch
from automl.search.open_search import open_search
from automl.search.plan import make_plan
from automl.search.resume import known_split
from automl.search.run import SearchRun
from automl.search.settings import target_settings
from automl.search.spec import make_spec
from automl.search.starting import loading_workers
from automl.table import RareClasses, Task
from automl.tracking import no_autologging

if TYPE_CHECKING:
    from automl.space import Space

__all__ = ["Search"]


class Search(FittedSearch):
    """Search a space of pipelines for the best one for a table.

    Optuna proposes the trials. Trials with the same structure train together as a cohort. Every trial becomes an
    Optuna trial and an MLflow run with its learning curve. The best pipeline is trained on all rows.

    Parameters
    ----------
    space : str, path, dict or Space, default="tabular"
        Search space: the name of a space in ``search_spaces/``, a YAML file, a dict, or a loaded space.
    scoring : str, callable, list of them, or None, default=None
        Scikit-learn scorer or its name; it sees the labels of the target. None is ``roc_auc`` for two classes,
        ``neg_log_loss`` for more, ``neg_root_mean_squared_error`` for regression. ``module:function`` imports a
        scorer ``function(estimator, X, y)`` of your own. A list gives several objectives:
        first a scorer, which ranks the trials, then scorers or the measured values ``"fit_seconds"``,
        ``"predict_seconds"`` and ``"model_bytes"``. With several objectives no trial is pruned.
    directions : list of {"maximize", "minimize"} or None, default=None
        Direction of each objective. None maximizes scores and minimizes measured values. Give it for a scorer that
        returns a loss.
    n_trials : int or None, default=None
        Number of trials, earlier ones of the study included. It makes the search repeatable: the same seed gives the
        same leaderboard for one or two jobs, unless ``timeout`` ends the search first.
    timeout : float or None, default=60
        Seconds for the whole search, refit and logging included. The search ends at ``timeout`` or ``n_trials``,
        whichever is first; one of them must be given.
    trial_timeout : float or None, default=None
        Seconds that a trial may train, as its share of the cohort's time. A longer trial is pruned.
    memory_limit : int, str or None, default=None
        Bytes for all processes together, or a text such as ``"4GB"``. A trial that needs more fails or does not
        start. The final refit is not limited.
    patience : int or None, default=None
        The search ends after this many trials without a new best score. None means no limit.
    callbacks : sequence or None, default=None
        Called after each trial: functions ``callback(study, frozen_trial)`` as in Optuna, which may call
        ``study.stop()``, or objects with a method ``on_trial(record, search)``, which may call ``search.stop()``.
    task : {"binary", "multiclass", "regression"} or None, default=None
        Kind of the target. None follows the scorer, the space and the values; the start line gives the reason.
    positive_class : label or None, default=None
        Positive class of two, for scorers such as ``f1``. None is the second one of the sorted labels.
    class_weight : "balanced", dict or None, default=None
        Weight of each label in training, for all families; scores are not weighted by it.
    drop_missing_target : bool, default=True
        Whether rows without a target are left out, with a warning; otherwise they are an error.
    rare_classes : {"error", "merge", "drop"}, default="error"
        Rule for classes with fewer rows than folds: an error, one class "other", or left out.
    cv : int, "time", splitter, iterable or None, default=None
        Folds, the same for all trials. None is 5 folds up to 5,000 rows, 3 up to 30,000, else a holdout; fewer for a
        table with many columns and a short ``timeout``. A resumed study keeps its folds.
        ``"time"`` or ``"time:3"`` validates on rows that are later than the training rows.
    time_column : str or None, default=None
        Column of dates or numbers that orders the rows for ``cv="time"``. None: they are in order.
    n_jobs : int or None, default=None
        Number of cohorts that train in parallel. 1 trains in this process; None and -1 use one process per core.
    engine : str, default="local"
        Where cohorts train: ``"local"``; ``"ray"`` for the Ray cluster of this machine, or one that starts here;
        ``"ray://HOST:PORT"`` for another cluster. ``"ray"`` uses a Ray that this process has initialised as it is; the
        address of another one is then an error. On a cluster, ``n_jobs=None`` is one cohort per core, and
        ``memory_limit`` holds for each node.
    random_state : int, default=0
        Seed of the sampler, the folds, the preprocessing, the row order and the initial weights.
    study_name : str or None, default=None
        Name of the Optuna study. None makes a name from the target and the time.
    resume : bool, default=True
        Whether to continue an existing study of that name. Its trials are kept, and interrupted trials are trained
        again under their numbers. Table, folds, metric and seed must be the same; the space may be wider. If other
        processes are searching the study, this one joins them, and ``n_trials`` counts the trials of all. With False
        an existing study is an error.
    storage : str, path, optuna storage or None, default=None
        Where the study is kept. None is ``mlruns/studies/NAME.journal``. A path is an SQLite file if it ends in
        ``.db``, else a journal file. A URL is a database: ``sqlite:///FILE`` or, with
        ``pip install 'automl-orchestrator[postgres]'``, ``postgresql://USER:PASSWORD@HOST/NAME``.
    sampler : str, optuna sampler or None, default=None
        ``tpe`` (None), ``gp``, ``cmaes``, ``random``, ``qmc``, ``grid``, ``nsgaii``, or an object. ``grid:3`` takes
        three values of each range.
    pruner : str, optuna pruner or None, default=None
        ``racing`` (None), ``median``, ``percentile``, ``successive_halving``, ``hyperband``, ``patient``,
        ``threshold``, ``wilcoxon``, ``none``, or an object. A number may follow: ``percentile:10``, ``threshold:0.6``.
        None continues a study with the pruner that it names.
    tracking_uri : str or None, default=None
        MLflow store. None is ``sqlite:///mlruns/mlflow.db``.
    experiment_name : str or None, default=None
        MLflow experiment. None is that of the active run or of ``mlflow.set_experiment``, else ``automl``.
    refit : bool, default=True
        Whether to train the best pipeline on all rows, log it as a model and register it.
    ensemble : bool, default=True
        Whether to average the best trials where out-of-fold predictions say that this is better. It needs ``refit``,
        500 validation rows and one objective.
    calibrate : "auto" or None, default=None
        ``"auto"`` calibrates the probabilities of the model where that lowers the log loss of rows out of fold.
    threshold : "auto" or None, default=None
        ``"auto"`` tunes the threshold of two classes where that raises a score of labels, such as ``f1``, out of fold.
    progress : bool, default=True
        Whether to show progress.
    columns : dict of str to str or None, default=None
        Types of columns by name: ``"numeric"``, ``"categorical"``, ``"datetime"``, ``"text"`` or ``"drop"``. The types
        of other columns follow from their values.
    encoding, separator : str or None, default=None
        Encoding and separator of a text file that `fit` or `predict` gets as a path; see `read_table`.
    scratch : str or None, default=None
        Folder for temporary files. None is the system's temporary folder, or another one if that has no room.
    allow_imports : str or sequence of str, default=()
        Packages whose classes ``estimator:`` in a space may name, beside scikit-learn, automl, lightgbm, xgboost and
        catboost.
    allow_includes : str or sequence of str, default=()
        Folders whose files ``include`` in a space may name, beside the folder of the including file.

    Attributes
    ----------
    best_estimator_ : sklearn.pipeline.Pipeline
        The best pipeline, fitted on all rows; it predicts the original labels. Only with ``refit``.
    ensemble_ : EnsembleClassifier or EnsembleRegressor
        Weighted average of the best trials (``members_``, ``weights_``). It exists only if it is better than the best
        pipeline; ``predict``, ``score``, ``export`` and the logged model then use it.
    calibrated_ : CalibratedClassifier
        The model with calibrated probabilities or a tuned threshold. It exists only with ``calibrate`` or ``threshold``
        and where that is better; ``predict``, ``score``, ``export`` and the logged model then use it.
    best_params_ : dict
        Parameters of the best trial, flat under dotted names.
    best_score_ : float
        Mean validation score of the best trial; greater is better. It is slightly optimistic, because it was used to
        select the trial. With several objectives it is the score by the first one.
    corrected_score_ : CorrectedScore or None
        The best trial's score, corrected for having been selected: ``score``, its 95 % interval ``low`` to ``high``,
        ``interval(n_rows)`` for a test set, ``beats_baseline``, the probability of being better than a model that
        ignores all columns, and ``ensemble_score``, ``ensemble_low`` and ``ensemble_high`` of the ensemble.
    best_trial_ : TrialRecord
        Record of the best trial.
    leaderboard_ : DataFrame
        All distinct trials, the ensemble and a baseline, best first, as of ``leaderboard()``. A trial that the time
        limit cut short is ``stopped`` and ranked by its last score.
        With several objectives the Pareto front is first (column ``front``). If the space has ``constraints``, trials
        that violate them are after all others (column ``excess``).
    pareto_front_ : tuple of TrialRecord
        The complete trials that no other trial dominates, best by the first objective first. With one objective, the
        trials with the best score.
    study_ : optuna.Study
        The study.
    run_id_ : str
        MLflow run of the search; the runs of the trials are its children.
    model_uri_ : str
        URI of the logged model. Only with ``refit``.
    out_of_fold_ : OutOfFold
        Out-of-fold predictions of the best trials: ``predictions(number)`` for the table's ``rows`` with targets ``y``.
    task_ : {"binary", "multiclass", "regression"}
        Kind of the target.
    positive_class_ : label
        Positive class, for two classes.
    fitted_rows_ : int
        Rows that the best pipeline was fitted to. Scores of a search in a sample are of rows of the sample.
    left_out_ : list of str
        Excluded columns and values of the space, each with the reason. Also in the run's tag ``automl.left_out``.
    classes_ : ndarray
        Labels, for classification.
    feature_names_in_ : ndarray of str
        Names of the columns.
    n_features_in_ : int
        Number of columns.
    cv_results_, best_index_, n_splits_, multimetric_, refit_time_
        As those of scikit-learn's searches.

    Raises
    ------
    InputError
        By `fit`, before training: every fault of the table, the space or the settings.
    StoreError
        By `fit`, before training: the study or the MLflow store cannot be written.
    NoModelError
        By `fit`: no trial has a score.

    Examples
    --------
    ::

        search = automl.Search(space="quick", timeout=30)
        search.fit(X, y)
        search.best_estimator_.predict(X)
    """

    _run: SearchRun | None = None  # while `fit` runs

    def __init__(
        self,
        space: str | Path | Mapping[str, Any] | Space = "tabular",
        *,
        scoring: Scorer | Sequence[Scorer] | None = None,
        directions: Sequence[Direction] | None = None,
        n_trials: int | None = None,
        timeout: float | None = 60,
        trial_timeout: float | None = None,
        memory_limit: str | float | None = None,
        patience: int | None = None,
        callbacks: Sequence[Any] | None = None,
        task: Task | None = None,
        positive_class: Any = None,
        class_weight: Any = None,
        drop_missing_target: bool = True,
        rare_classes: RareClasses = "error",
        cv: Any = None,
        time_column: str | None = None,
        n_jobs: int | None = None,
        engine: str = "local",
        random_state: int = 0,
        study_name: str | None = None,
        resume: bool = True,
        storage: Any = None,
        sampler: Any = None,
        pruner: Any = None,
        tracking_uri: str | None = None,
        experiment_name: str | None = None,
        refit: bool = True,
        ensemble: bool = True,
        calibrate: Literal["auto"] | None = None,
        threshold: Literal["auto"] | None = None,
        progress: bool = True,
        columns: Mapping[str, str] | None = None,
        encoding: str | None = None,
        separator: str | None = None,
        scratch: str | None = None,
        allow_imports: str | Sequence[str] = (),
        allow_includes: str | Sequence[str] = (),
    ) -> None:
        self.space = space
        self.scoring = scoring
        self.directions = directions
        self.n_trials = n_trials
        self.timeout = timeout
        self.trial_timeout = trial_timeout
        self.memory_limit = memory_limit
        self.patience = patience
        self.callbacks = callbacks
        self.task = task
        self.positive_class = positive_class
        self.class_weight = class_weight
        self.drop_missing_target = drop_missing_target
        self.rare_classes = rare_classes
        self.cv = cv
        self.time_column = time_column
        self.n_jobs = n_jobs
        self.engine = engine
        self.random_state = random_state
        self.study_name = study_name
        self.resume = resume
        self.storage = storage
        self.sampler = sampler
        self.pruner = pruner
        self.tracking_uri = tracking_uri
        self.experiment_name = experiment_name
        self.refit = refit
        self.ensemble = ensemble
        self.calibrate = calibrate
        self.threshold = threshold
        self.progress = progress
        self.columns = columns
        self.encoding = encoding
        self.separator = separator
        self.scratch = scratch
        self.allow_imports = allow_imports
        self.allow_includes = allow_includes

    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Self:
        """Search, and train the best pipeline on all rows.

        The first Ctrl-C ends the search in order: finished trials are kept, the best one is refitted, and ``fit``
        returns. The second Ctrl-C stops at once.

        Parameters
        ----------
        X : DataFrame, polars DataFrame, pyarrow Table, list of dict, array of shape (n, p), or path
            The table, or its file as for `read_table`. If a Parquet file or folder does not fit into ``memory_limit``
            or half of the memory, the search uses a sample of its rows, and the best pipeline is fitted to all.
        y : array-like of shape (n,), or str
            The target: texts, booleans or numbers; or the name of the column of ``X`` that holds it.
        groups : array-like of shape (n,) or str, optional
            Group of each row, or the name of a column; a group is never split between the two sides of a fold.
        sample_weight : array-like of shape (n,) or str, optional
            Weight of each row in training and in scores, or the name of a column. The column of groups or weights is
            no feature.

        Returns
        -------
        Search
            This object, fitted.
        """
        settings = self.get_params(deep=False)
        budget = Budget(self.timeout, self.n_trials)
        by_row = {"groups": groups, "sample_weight": sample_weight}
        with (
            no_autologging(),
            checked_search(settings, X, y, by_row) as (space, X, y, large),
            loading_workers(settings) as server,
        ):
            self._forget()
            plan = make_plan(
                X,
                y,
                space=space,
                allow_imports=self.allow_imports,
                allow_includes=self.allow_includes,
                scoring=self.scoring,
                directions=self.directions,
                cv=known_split(settings) if self.cv is None else self.cv,
                timeout=self.timeout,
                groups=groups,
                sample_weight=sample_weight,
                settings=target_settings(settings),
                random_state=self.random_state,
                types=self.columns,
            )
            spec = make_spec(settings, plan, groups=groups, sample_weight=sample_weight)
            del X, y  # the plan has typed copies
            try:
                with open_search(spec, plan, settings, budget, server) as run:
                    self.study_, self._run = run.study, run
                    run.when_open(lambda run_id: setattr(self, "run_id_", run_id))
                    winner = run.search(self.callbacks or (), self)
                    self._keep(winner, run.records)
                    self.out_of_fold_ = run.out_of_fold
                    if self.refit:
                        self._keep_ensemble(winner := run.fit_models(winner, self._keep_refit, large))
                        self._keep_calibrated(winner)
                        if (uri := run.log_model(winner, self._served())) is not None:
                            self.model_uri_ = uri
                    self.corrected_score_ = run.correct(winner)
                    self._run_ids = run.finish(winner, self.corrected_score_)
                    self.leaderboard_ = self.leaderboard()
                    run.publish(winner, self.corrected_score_, self.leaderboard_, self.leaderboard(wide=True))
            finally:
                self._run = None
        return self

    def stop(self) -> None:
        """End the running search, from a callback or another thread; proposed cohorts are finished."""
        if self._run is not None:
            self._run.stop()

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: a classifier, unless task, scorer or the fitted target is for numbers."""
        tags = super().__sklearn_tags__()
        first = self.scoring[0] if isinstance(self.scoring, list | tuple) and self.scoring else self.scoring
        task = getattr(self, "task_", self.task) or scorer_kind(first)
        if task == "regression":
            tags.estimator_type, tags.regressor_tags = "regressor", RegressorTags()
        else:  # also before the task is known, because stratified folds do no harm to numbers
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.target_tags.required = True
        inputs = tags.input_tags
        inputs.allow_nan = inputs.string = inputs.categorical = inputs.sparse = True
        return tags

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return the settings as text, without passwords."""
        return str(BaseEstimator.__repr__(self._to_show(), N_CHAR_MAX))

    def _html_repr(self) -> str:
        """Return the HTML for a notebook: the results, or before `fit` the settings."""
        return self._html_summary() or str(BaseEstimator._html_repr(self._to_show()))

    def _to_show(self) -> Search:
        """Return this object, or a copy without the passwords in its URLs."""
        params = self.get_params(deep=False)
        shown: dict[str, Any] = {
            name: without_passwords(value) if isinstance(value, str) else value
            for name, value in params.items()
        }
        return self if shown == params else type(self)(**shown)
