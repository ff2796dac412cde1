"""`Search`: a table and a space in, every trial recorded, the best pipeline out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from sklearn.base import BaseEstimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from automl.errors import NoModelError, without_passwords
from automl.metrics import Direction, Scorer
from automl.records import TrialRecord
from automl.search.budget import Budget
from automl.search.callbacks import one_form
from automl.search.limits import warn_of_winner
from automl.search.loop import Loop
from automl.search.plan import make_plan
from automl.search.replay import Replay, replay_number
from automl.search.resume import PATIENCE, check_same, finish, mirror
from automl.search.settings import (
    blas_threads,
    check_memory,
    check_settings,
    kept_settings,
    new_name,
    shown_settings,
    workers_for,
)
from automl.search.winner import Winner, best_of
from automl.select import leaderboard, pareto_front
from automl.study import (
    Session,
    create_study,
    make_pruner,
    make_sampler,
    open_lease,
    read_records,
    save_settings,
)
from automl.tracking import NullProgress, Progress, Tracker

if TYPE_CHECKING:
    from automl.space import Space

__all__ = ["Search"]

_OPENING = 2.7  # seconds that loading MLflow and making its store take where nothing else goes on
_AT_ONCE = 1.0  # seconds for the same, once the user has lost theirs


def _best_has(method: str) -> Callable[[Search], bool]:
    return lambda search: hasattr(getattr(search, "best_estimator_", None), method)


class Search(BaseEstimator):
    """Search a space of pipelines for the best one for a table.

    Trials of equal structure train together, in cohorts; every trial is an Optuna trial and an MLflow run with its
    whole learning curve.

    Parameters
    ----------
    space : str, path, dict or Space, default="tabular"
        What may be tried: a name in ``search_spaces/``, a YAML file, the same as a dict, or a space already read.
    scoring : str, callable, list of them, or None, default=None
        A scikit-learn scorer or its name; it sees classes as codes 0, 1, ... in the order of ``classes_``. None:
        ``roc_auc`` for two classes, ``neg_log_loss`` for more, ``neg_root_mean_squared_error`` for numbers. A list is
        several objectives, a scorer first, which ranks trials; the others are scorers or ``"fit_seconds"``,
        ``"predict_seconds"`` and ``"model_bytes"``, which are measured. With several objectives nothing is pruned.
    directions : list of {"maximize", "minimize"} or None, default=None
        Where the value of each objective should go. None: scores up, what is measured down. It is needed for a scorer
        of your own that returns a loss.
    n_trials : int or None, default=None
        Trials in all. With it a search repeats itself: the same seed gives the same leaderboard, whatever is ready
        first and with one or two jobs, as far as ``timeout`` does not cut it short.
    timeout : float or None, default=60
        Seconds for the whole search, refit and logging included. Whichever of the two ends first ends the search;
        one of them must be given.
    trial_timeout : float or None, default=None
        Seconds that a trial may train: its share of its cohort's time. One that takes longer is pruned.
    memory_limit : int, str or None, default=None
        Bytes that all processes may have together, or a text such as ``"4GB"``. What needs more does not start, or has
        failed. The winner's refit is not watched.
    patience : int or None, default=None
        End the search once so many trials have ended without a new best one. None never does.
    callbacks : sequence or None, default=None
        Whom to tell of each trial that ends: functions ``callback(study, frozen_trial)`` as for Optuna, which may call
        ``study.stop()``, or objects with a method ``on_trial(record, search)``, which may call ``search.stop()``.
    cv : int, splitter, iterable or None, default=None
        Folds, fixed for all trials. None: 5 below 2,500 rows, 3 below 25,000, else one fifth is held out.
    n_jobs : int or None, default=None
        Cohorts trained side by side; 1 trains in this process, None or -1 in as many processes as there are cores.
    random_state : int, default=0
        The seed of the sampler, the folds, what preprocessing draws, the order of rows and initial weights.
    study_name : str or None, default=None
        Name of the Optuna study. None makes a new one up from the target and the time.
    resume : bool, default=True
        Go on with the study of that name where it stopped, if there is one: its trials stay, ``n_trials`` counts
        them too, and what was training when its process died is trained again under its own number, so that the end is
        the same. Table, folds, metric and seed must be the same, the space the same or wider. While other
        processes search the study, this one joins them: ``n_trials`` is for all of them together. False refuses a
        study that is there already.
    storage : str, path, optuna storage or None, default=None
        Where the study is kept. None: ``mlruns/studies/NAME.journal``; a path: a journal file there; a URL: a database,
        ``sqlite:///FILE`` or, with ``pip install 'automl-orchestrator[postgres]'``, ``postgresql://USER:PASSWORD@HOST/NAME``.
    sampler : str, optuna sampler or None, default=None
        What proposes: ``tpe`` (None), ``gp``, ``cmaes``, ``random``, ``qmc``, ``grid``, ``nsgaii``, or an object.
        ``grid:3`` takes three values of each range.
    pruner : str, optuna pruner or None, default=None
        What prunes: ``median`` (None), ``percentile``, ``successive_halving``, ``hyperband``, ``patient``,
        ``threshold``, ``wilcoxon``, ``none``, or an object. A number may follow: ``percentile:10``, ``threshold:0.6``.
    tracking_uri : str or None, default=None
        MLflow's store. None: ``sqlite:///mlruns/mlflow.db``.
    experiment_name : str or None, default=None
        MLflow's experiment. None: ``automl``.
    refit : bool, default=True
        Train the winner on all rows, log it as a model and register it.
    progress : bool, default=True
        Show what happens while it happens.
    allow_imports : str or sequence of str, default=()
        Packages, besides scikit-learn, automl, lightgbm, xgboost and catboost, that ``estimator:`` of a space may
        name classes of.

    Attributes
    ----------
    best_estimator_ : sklearn.pipeline.Pipeline
        The winner, fitted on all rows; predicts the original labels. Only with ``refit``.
    best_params_ : dict
        Its configuration, flat under dotted names.
    best_score_ : float
        Its mean validation score; greater is better. It is the score it was chosen by, so it flatters a little. With
        several objectives the score by the first of them.
    best_trial_ : TrialRecord
        Its record.
    leaderboard_ : DataFrame
        All trials, best first. A trial that the end of the time cut short is ``stopped`` and competes with the score
        it had come to. With several objectives the Pareto front comes first (column ``front``); where the space has
        ``constraints``, what breaks them comes after all that does not (column ``excess``).
    pareto_front_ : tuple of TrialRecord
        The complete trials that no other is better than, best by the first objective first. With one objective, the
        best trial, and those that equal it.
    study_ : optuna.Study
        The study.
    run_id_ : str
        MLflow's run of the search; the trials' runs are its children.
    model_uri_ : str
        The logged model. Only with ``refit``.
    task_ : {"binary", "multiclass", "regression"}
        What the target asks for.
    left_out_ : list of str
        Columns that nothing is learned from, and what of the space is not for this table, each with the reason; shown
        as the search starts, and kept in the run's tag ``automl.left_out``.
    classes_ : ndarray
        The labels, for classification.
    feature_names_in_ : ndarray of str
        The columns.
    n_features_in_ : int
        How many.

    Raises
    ------
    InputError
        By `fit`, before any training: everything that is wrong with the table, the space or the settings.
    StoreError
        By `fit`, before any training, if the study or the MLflow store cannot be written.
    NoModelError
        By `fit`, if no trial came to a score.

    Examples
    --------
    ::

        search = automl.Search(space="quick", timeout=30)
        search.fit(X, y)
        search.best_estimator_.predict(X)
    """

    _loop: Loop | None = None  # while it searches

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
        cv: Any = None,
        n_jobs: int | None = None,
        random_state: int = 0,
        study_name: str | None = None,
        resume: bool = True,
        storage: Any = None,
        sampler: Any = None,
        pruner: Any = None,
        tracking_uri: str | None = None,
        experiment_name: str | None = None,
        refit: bool = True,
        progress: bool = True,
        allow_imports: str | Sequence[str] = (),
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
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.study_name = study_name
        self.resume = resume
        self.storage = storage
        self.sampler = sampler
        self.pruner = pruner
        self.tracking_uri = tracking_uri
        self.experiment_name = experiment_name
        self.refit = refit
        self.progress = progress
        self.allow_imports = allow_imports

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Self:
        """Search, and refit the winner.

        Ctrl-C ends the search in order: what is finished is kept, the best so far is refitted and ``fit`` returns.
        A second Ctrl-C stops at once.

        Parameters
        ----------
        X : DataFrame or array of shape (n, p)
            The table.
        y : array-like of shape (n,)
            The target: texts, booleans or numbers.
        groups : array-like of shape (n,), optional
            Rows of one group never stand on both sides of a fold.

        Returns
        -------
        Search
            Itself.
        """
        settings = self.get_params(deep=False)
        check_settings(settings)
        for name in self._learned():
            delattr(self, name)
        budget = Budget(self.timeout, self.n_trials)
        plan = make_plan(
            X,
            y,
            space=self.space,
            allow_imports=self.allow_imports,
            scoring=self.scoring,
            directions=self.directions,
            cv=self.cv,
            groups=groups,
            random_state=self.random_state,
        )
        n_objectives = len(plan.objectives.names)
        sampler = make_sampler(self.sampler, self.random_state, plan.space, n_objectives)
        pruner = make_pruner(self.pruner, n_objectives)
        name = self.study_name or new_name(plan.target.name)
        about = plan.about(
            name,
            self.random_state,
            self.cv,
            grouped=groups is not None,
            blas_threads=blas_threads(settings),
        )
        context = plan.worker_context(self.random_state)
        with (
            open_lease(about.study_name, self.storage) as lease,
            Progress() if self.progress else NullProgress() as progress,
            closing(workers_for(context, settings)) as workers,
        ):
            progress.stage("opening the stores")
            before = budget.elapsed
            tracker = Tracker(self.tracking_uri, self.experiment_name)
            slowness = max(1.0, (budget.elapsed - before) / _OPENING)
            self.study_ = create_study(
                about.study_name,
                self.storage,
                sampler=sampler,
                pruner=pruner,
                resume=self.resume,
                directions=plan.objectives.directions,
            )
            check_memory(workers, self.memory_limit)
            again = check_same(self.study_, about, plan.space)
            save_settings(self.study_, kept_settings(settings, plan.space))
            lease.register(self.study_)
            session = Session(self.study_, plan.space, about, lease, self.n_trials)
            state: Literal["finished", "killed", "failed"] = "failed"
            patience = PATIENCE
            try:
                self.run_id_, _ = mirror(
                    tracker,
                    self.study_,
                    about,
                    session.records,
                    shown_settings(settings),
                    again=again,
                    company=bool(lease.others()),
                )
                progress.started(about, self.timeout, self.n_trials)
                loop = Loop(
                    session,
                    workers,
                    budget,
                    tracker,
                    progress,
                    shape=(*plan.frame.shape, len(plan.folds)),
                    refit=self.refit,
                    known=session.records,
                    trial_timeout=self.trial_timeout,
                    patience=self.patience,
                    callbacks=one_form(self.callbacks or (), session, self),
                    slowness=slowness,
                    epoch_steps=about.epoch_steps,
                    fidelity=plan.space.fidelity,
                    measured=n_objectives > 1 or bool(about.constraints),
                )
                self._loop = loop
                with lease.searching():
                    loop.run()
                state = "killed" if loop.interrupted else "failed"
                best = best_of(loop.records, about, interrupted=loop.interrupted)
                warn_of_winner(best, about.constraints)
                self._keep(Winner(best, plan, about, self.run_id_), loop.records)
                if self.refit:
                    progress.stage("refitting the winner")
                    self.best_estimator_ = self._winner.fitted(X, workers.slots)
                    progress.stage("logging the model")
                    if (uri := self._winner.log(self.best_estimator_, tracker)) is not None:
                        self.model_uri_ = uri
                progress.stage("writing the last runs")
                # Where others search on, that is what it has come to so far; who leaves last puts it right.
                told = self.study_, about, loop.records, best
                if lease.others():
                    finish(tracker, *told, budget.elapsed, last=False)
                if lease.release():
                    finish(tracker, *told, budget.elapsed, last=True)
                runs = {record.number: tracker.run_id(record.number) for record in loop.records}
                self.leaderboard_ = leaderboard(loop.records, runs, about)
                state = "killed" if loop.interrupted else "finished"
            except KeyboardInterrupt:
                state, patience = "killed", _AT_ONCE
                raise
            finally:
                self._loop = None
                tracker.close(state if lease.release() else None, patience)
        return self

    def stop(self) -> None:
        """End the search that runs, from a callback or another thread; cohorts already proposed are finished."""
        if self._loop is not None:
            self._loop.stop()

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return the settings as text, without passwords."""
        return str(BaseEstimator.__repr__(self._to_show(), N_CHAR_MAX))

    def _html_repr(self) -> str:
        return str(BaseEstimator._html_repr(self._to_show()))

    def _to_show(self) -> Search:
        """Return what may be shown of this: itself, or one whose URLs have no passwords."""
        params = self.get_params(deep=False)
        shown: dict[str, Any] = {
            name: without_passwords(value) if isinstance(value, str) else value
            for name, value in params.items()
        }
        return self if shown == params else type(self)(**shown)

    def predict(self, X: Any) -> Any:
        """Return the winner's predictions, original labels or numbers, for rows ``X``; shape (n,)."""
        return self._best().predict(X)

    @available_if(_best_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Return the winner's class probabilities, shape (n, n_classes), in the order of ``classes_``."""
        return self._best().predict_proba(X)

    @available_if(_best_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Return the winner's decision scores, shape (n,) or (n, n_classes)."""
        return self._best().decision_function(X)

    def score(self, X: Any, y: Any) -> float:
        """Return the winner's score, by ``scoring``, on other rows than it was chosen by."""
        return self._winner.score(self._best(), X, y)

    def replay(self, number: int) -> Replay:
        """Train the trial of that number again, alone.

        The result holds both records; ``same`` tells whether the scores are equal within rounding, ``print`` shows
        them. SettingError if there is no such trial, or it ended without a score for want of time.
        """
        check_is_fitted(self, "best_trial_")
        return replay_number(
            self._winner.plan.worker_context(self.random_state), read_records(self.study_), number
        )

    def export(self, path: str | Path) -> Path:
        """Write the winner as an MLflow model folder, to be read by `automl.load_model` or MLflow itself.

        Parameters
        ----------
        path : str or Path
            A folder that does not exist, or is empty.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        SettingError
            If the folder holds something already.
        """
        return self._winner.save(self._best(), path)

    def _learned(self) -> list[str]:
        """Return the names of what a fit has left here."""
        return [name for name in vars(self) if name == "_winner" or name[-1] == "_" != name[0]]

    def _keep(self, winner: Winner, records: Sequence[TrialRecord]) -> None:
        plan, best = winner.plan, winner.record
        self._winner = winner
        self.pareto_front_ = pareto_front(records, winner.about)
        self.task_ = plan.target.task
        self.left_out_ = list(plan.left_out)
        self.best_trial_ = best
        self.best_params_, self.best_score_ = best.params, cast(float, best.score)
        self.feature_names_in_ = plan.columns.feature_names_in_
        self.n_features_in_ = plan.columns.n_features_in_
        if plan.target.classes is not None:
            self.classes_ = plan.target.classes

    def _best(self) -> Any:
        check_is_fitted(self, "best_trial_")
        if not hasattr(self, "best_estimator_"):
            raise NoModelError("the winner was not refitted: the search was made with refit=False")
        return self.best_estimator_
