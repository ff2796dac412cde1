"""One search from its open study to its end: open MLflow, search, finish, close."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import joblib

from automl.records import TrialRecord
from automl.search.admission import Admission
from automl.search.budget import Budget
from automl.search.callbacks import Observers, Stoppable, normalize_callbacks
from automl.search.correcting import corrected_winner
from automl.search.early_refit import EarlyRefit
from automl.search.fallback import FALLBACK, may_fall_back, train_fallback
from automl.search.finish import Winner, select_best, warn_of_violations
from automl.search.full_fit import FullFit, fit_all_rows
from automl.search.large_table import LargeTable
from automl.search.loop import Loop
from automl.search.opening import Opening, keep_filters
from automl.search.plan import Plan
from automl.search.publish import PartTimes
from automl.search.refit import SharedMatrices, fit_rows, fold_models, with_columns
from automl.search.results_page import ResultsPage
from automl.search.spec import SearchSpec
from automl.select import Baseline, CorrectedScore, OutOfFold, pareto_front
from automl.study import (
    ProcessLease,
    Session,
    Study,
    read_records,
    read_run,
    save_corrected,
    save_ensemble,
    save_run,
)
from automl.tracking import NullProgress, Progress, Tracker, finish_run, open_run
from automl.workers import Workers, limit_threads

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

__all__ = ["SearchRun"]

_OPENING = 4.0  # seconds to open MLflow on a free core; the ratio is the slowness of this machine
_FOREVER = float("inf")
_FLUSH_AFTER_ERROR = 10.0  # seconds for a store that is being opened when the search fails


@dataclass
class SearchRun:
    """An open search: its study, session, workers, tracker and lease.

    Attributes
    ----------
    records : list of TrialRecord
        The trials that have ended, once `search` has returned.
    interrupted : bool
        Whether Ctrl-C ended the search.
    stores : mapping
        The settings ``storage`` and ``tracking_uri``.
    times : PartTimes
        Seconds that parts of the search took.
    refit_core_seconds : float
        Seconds of the cores in the fits to all rows at the end.
    """

    spec: SearchSpec
    plan: Plan
    budget: Budget
    study: Study
    session: Session
    workers: Workers
    tracker: Tracker
    progress: Progress | NullProgress
    lease: ProcessLease
    out_of_fold: OutOfFold
    baseline: Baseline | None = None
    stores: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    model_uri: str = ""
    best: Pipeline | None = None  # fitted on all rows
    refit_core_seconds: float = 0.0
    _loop: Loop | None = None
    times: PartTimes = field(default_factory=PartTimes)
    _opening: Opening = field(default_factory=Opening)
    _when_open: Callable[[str], None] = lambda run_id: None
    _filters: ExitStack = field(default_factory=ExitStack)
    _admission: Admission = field(init=False)

    def open(self, *, existing: bool) -> None:
        """Open MLflow; of a new study while workers start with the first cohorts.

        ``existing`` says whether the study has trials or other processes.
        """
        keep_filters(self._filters)
        if not existing:
            self._loop = self._make_loop()
            self._loop.start()
        self._opening.start(
            partial(self._open_run, existing),
            self._take_run,
            after=lambda: bool(self.records) or self._admission.must_wait(),
            warms=self.spec.refit,
        )
        if existing:
            self._opening.take(_FOREVER)

    def __post_init__(self) -> None:
        self._early = EarlyRefit(self._fit_rows, self._limit_threads)
        self._shared = SharedMatrices()

    def _fit_rows(self, record: TrialRecord) -> Pipeline:
        return with_columns(self.plan, fit_rows(record, self.plan, self.spec.facts, self._shared))

    def _limit_threads(self) -> Any:
        """Return the context that limits the threads of each fit in this process."""
        return limit_threads(self.plan.frame.size, self.workers.n_fits, self.spec.facts.blas_threads)

    def _make_loop(self) -> Loop:
        self._admission = Admission(self.spec, self.budget, self.workers, self.tracker)
        quick = "quick_linear" in self.plan.space.size().dimensions
        if self._admission.refits_early:
            self._admission.early = self._early
        self._admission.falls_back = not quick and may_fall_back(self.plan, self.spec, [])
        observers = Observers(self.tracker, self.progress, out_of_fold=self.out_of_fold)
        return Loop(self.spec, self.session, self.workers, self._admission, observers, self._watch)

    def when_open(self, call: Callable[[str], None]) -> None:
        """Call with the id of the search's run once it is known, at once if it is."""
        self._when_open = call
        if self.run_id:
            call(self.run_id)

    def _open_run(self, existing: bool) -> str:
        """Open MLflow and return the run of the search."""
        self.tracker.open()
        run_id, _ = open_run(
            self.tracker,
            read_run(self.study),
            self.spec.facts,
            self.session.records,
            self.spec.run_params,
            existing=existing,
            shared=bool(self.lease.others()),
            files={"space.yaml": self.spec.settings["space"]},
        )
        return run_id

    def _take_run(self, run_id: str) -> None:
        self.run_id = run_id
        save_run(self.study, run_id)
        self._when_open(run_id)

    def _watch(self) -> None:
        self._opening.take()
        self._admission.refit_early()
        n_busy = self.workers.slots if self.spec.engine == "local" else 0
        expected = _OPENING * max(1.0, (n_busy + 1) / int(joblib.cpu_count()))
        self._admission.slowness = max(1.0, self._opening.seconds / expected)

    def end(self, state: Literal["finished", "killed", "failed"], seconds: float) -> None:
        """End the run of the search; ``seconds`` is the time that the store has."""
        self._early.close()
        self._filters.close()
        with suppress(Exception):  # opening has failed or takes too long; the search ends with another error
            self._opening.settle(min(seconds, _FLUSH_AFTER_ERROR))
        self.tracker.close(state if self.lease.release() else None, seconds)

    def search(self, callbacks: Sequence[Any], search: Stoppable) -> Winner:
        """Search, and return the best trial.

        Raises
        ------
        NoModelError
            If no trial has a score.
        """
        keep_filters(self._filters)
        with self._filters, self.lease.searching():
            self.progress.started(self.spec.facts, self.spec.timeout, self.spec.n_trials)
            self._loop = self._loop or self._make_loop()
            if callbacks:  # they may ask for the run
                self._opening.take(_FOREVER)
            self._loop.run(normalize_callbacks(callbacks, self.session, search))
            if not self.interrupted and may_fall_back(self.plan, self.spec, self.records):
                self.progress.stage("fitting a quick linear model")
                if (trial := self.session.start_outside(FALLBACK)) is not None:
                    self._loop.results.tell_one(train_fallback(self.plan, self.spec, trial))
            self._opening.settle()  # before the filters of warnings end
        best = select_best(self.records, self.spec.facts, interrupted=self.interrupted)
        warn_of_violations(best, self.spec.facts.constraints)
        return Winner(best, self.plan, self.spec.facts, self.run_id, baseline=self.baseline)

    def fit_models(
        self, winner: Winner, keep: Callable[[FullFit], None], table: LargeTable | None = None
    ) -> Winner:
        """Train the best trial and the members of the ensemble on all rows; return the winner with its ensemble.

        Parameters
        ----------
        winner : Winner
            The best trial.
        keep : callable
            Called with the fitted best pipeline.
        table : LargeTable, optional
            The table, if the search had a sample of it.
        """
        self.progress.stage("refitting the winner")
        used = time.process_time() - self._early.core_seconds
        with self.times.of("refitting"):
            if table is None and (scored := self._scored_model(winner)) is not None:
                found = self._take(winner, scored, keep)
            elif table is not None or not self._admission.fits_beside:
                found = self._fit_in_turn(winner, keep, table)
            else:
                found = self._fit_beside(winner, keep)
        self.refit_core_seconds = time.process_time() - used
        if not self._early.running:
            self._early.close()
        if self.spec.ensemble:
            save_ensemble(self.study, found.ensemble.record)
        return found

    def _fit_beside(self, winner: Winner, keep: Callable[[FullFit], None]) -> Winner:
        best = self._best_refit(winner)
        found = self._fit_ensemble(winner, best)
        self.best = best.result()
        winner.warn_if_grown(self.best)
        seconds = self._early.seconds[winner.record.number]
        keep(FullFit(self.best, len(self.plan.frame), seconds=seconds))
        return found

    def _scored_model(self, winner: Winner) -> FullFit | None:
        """Return the model that the best trial was scored with, if there is no time to train one on all rows.

        Only a holdout has a single such model, and a trainer must have kept it. It was trained on class codes, which a
        class of any package may return.
        """
        record, folds = winner.record, self.plan.folds
        kept = self.out_of_fold.fold_models(record.number) if len(folds) == 1 else None
        if kept is None or self._early.of(record) is not None or record.model.estimator is not None:
            return None
        if self._admission.refit_in_time(record):
            return None
        try:
            (steps,) = fold_models(record, self.plan, self.spec.facts, self.workers.n_fits, kept)
        except Exception:
            return None  # the refit is late, but fails for its own reasons only
        reason = "there was no time to train it on all of them"
        return FullFit(with_columns(self.plan, steps), len(folds[0][0]), reason)

    def _best_refit(self, winner: Winner) -> Future[Pipeline]:
        """Return the refit of the best trial, which may have begun during the search."""
        if (begun := self._early.of(winner.record)) is None:
            begun = self._early.start(winner.record)
        return begun

    def _fit_in_turn(
        self, winner: Winner, keep: Callable[[FullFit], None], table: LargeTable | None
    ) -> Winner:
        before, started = self.budget.elapsed, time.perf_counter()
        with self._admission.refitting(winner.record):
            pipeline = self._best_refit(winner).result()
        winner.warn_if_grown(pipeline)
        fit = FullFit(pipeline, len(self.plan.frame))
        if table is not None:
            self.workers.close()  # they hold memory that the fit of all rows needs
            fit = fit_all_rows(
                pipeline,
                winner.record,
                self.plan,
                self.spec.facts,
                table,
                sample_seconds=self.budget.elapsed - before,
                time_left=self._admission.seconds_for_refit,
                report=self.progress.stage,
            )
        return self._take(winner, replace(fit, seconds=time.perf_counter() - started), keep)

    def _take(self, winner: Winner, fit: FullFit, keep: Callable[[FullFit], None]) -> Winner:
        """Take the fitted best pipeline, and return the winner with its ensemble."""
        self.best = fit.pipeline
        keep(fit)
        best: Future[Pipeline] = Future()
        best.set_result(fit.pipeline)
        return self._fit_ensemble(winner, best)

    def _fit_ensemble(self, winner: Winner, best: Future[Pipeline]) -> Winner:
        """Return the winner with its ensemble, if the search makes one."""
        if not self.spec.ensemble:
            return winner
        self.progress.stage("fitting the ensemble")
        in_time = self._admission.refit_in_time
        n_fits = self.workers.n_fits
        return winner.with_ensemble(best, self.out_of_fold, n_fits, in_time, self._shared)

    def log_model(self, winner: Winner, model: Any) -> str | None:
        """Log the model and return its URI; None if that failed."""
        self.progress.stage("logging the model")
        with self.times.of("logging"):
            uri = winner.log(model, self.tracker)
        self.model_uri = uri or ""
        return uri

    def correct(self, winner: Winner) -> CorrectedScore | None:
        """Return the score of the best trial, corrected for its selection; None if it cannot be known."""
        self.progress.stage("correcting the best score")
        try:
            with self._limit_threads():  # the same scores as in training, to the last bit
                found = corrected_winner(winner, self.out_of_fold)
            if found is not None:
                save_corrected(self.study, asdict(found))
        except Exception as error:
            # A scorer of the user may fail on resampled rows; the search has not failed.
            warnings.warn(f"The best score was not corrected: {type(error).__name__}: {error}", stacklevel=4)
            return None
        return found

    def finish(self, winner: Winner, corrected: CorrectedScore | None = None) -> dict[int, str | None]:
        """Write the last runs and the summary, and return the run of each trial.

        While other processes search, the summary is provisional; the last one to leave writes it for all trials.
        """
        self.progress.stage("writing the last runs")
        if self.lease.others():
            self._write(winner, self.records, corrected, last=False)
        if self.lease.release():
            self._write(winner, self._all_records(), corrected, last=True)
        return {record.number: self.tracker.run_id(record.number) for record in self.records}

    def _write(
        self, winner: Winner, records: list[TrialRecord], corrected: CorrectedScore | None, *, last: bool
    ) -> None:
        facts, seconds = self.spec.facts, self.budget.elapsed
        front = pareto_front(records, facts)
        ensemble, more = winner.ensemble.record, {} if corrected is None else corrected.metrics
        more |= {
            f"{part}_share": part_seconds / seconds for part, part_seconds in self._part_seconds().items()
        }
        more["refit_core_seconds"] = self.refit_core_seconds
        finish_run(self.tracker, facts, records, winner.record, front, seconds, ensemble, last=last, **more)

    def _part_seconds(self) -> dict[str, float]:
        """Return the seconds of this process that parts of the search took; workers train side by side."""
        training = 0.0 if self._loop is None else self._loop.results.seconds / self.workers.slots
        parts = {"training": training, "proposing": self.session.proposing_seconds, **self.times.seconds}
        return parts | {"logging": parts.get("logging", 0.0) + self.tracker.seconds}

    def publish(
        self, winner: Winner, corrected: CorrectedScore | None, board: pd.DataFrame, wide: pd.DataFrame
    ) -> None:
        """Write the results to the run of the search; while other processes search, the last one does."""
        if not self.lease.release():
            return
        slowness, stage = self._admission.slowness, self.progress.stage
        page = ResultsPage(self.tracker, self.study, self.budget, self.stores, slowness, stage)
        seconds = {"all": self.budget.elapsed, **self._part_seconds()}
        page.write(
            winner,
            self._all_records(),
            corrected,
            (board, wide),
            seconds,
            self.model_uri,
            self.out_of_fold,
            self.best,
        )

    def _all_records(self) -> list[TrialRecord]:
        """Return the trials of all processes."""
        with suppress(Exception):  # an unreachable storage: the trials of this process are better than none
            trials = self.study.get_trials(deepcopy=False)
            if sum("record" in trial.user_attrs for trial in trials) > len(self.records):
                return read_records(self.study)
        return self.records

    @property
    def records(self) -> list[TrialRecord]:
        """The trials that have ended, earlier ones first."""
        return [] if self._loop is None else self._loop.records

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the search."""
        return self._loop is not None and self._loop.interrupted

    def stop(self) -> None:
        """Propose no more trials."""
        if self._loop is not None:
            self._loop.stop()
