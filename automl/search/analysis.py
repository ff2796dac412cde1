"""The input of the packages `report` and `explain`, from a finished search."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import Fault, NoModelError, SettingError, StoreError
from automl.records import SearchRecord, TrialRecord
from automl.search.finish import Winner
from automl.search.resume import foreign_study
from automl.select import Baseline, CorrectedScore, OutOfFold, leaderboard
from automl.study import (
    Study,
    load_study,
    param_importances,
    read_baseline,
    read_corrected,
    read_ensemble,
    read_records,
    read_run,
    read_search,
)
from automl.tracking import find_model, log_page, trial_runs

if TYPE_CHECKING:
    import pandas as pd

    from automl.explain import Explanation
    from automl.report import RowPredictions, StudyResults

__all__ = [
    "report_study",
    "study_leaderboard",
    "study_results",
    "winner_parameters",
    "winner_predictions",
    "write_report",
]

_MOST_COLUMNS = 300  # above, mapping coefficients to raw columns would delay the report


def study_results(
    study: Study,
    facts: SearchRecord,
    records: Sequence[TrialRecord],
    *,
    corrected: CorrectedScore | None = None,
    explanation: Explanation | None = None,
    predictions: RowPredictions | None = None,
    parameters: tuple[pd.DataFrame | None, pd.Series[float] | None] = (None, None),
    tracking_uri: str | None = None,
    storage: Any = None,
) -> StudyResults:
    """Return the data of figures and of the report.

    Parameters
    ----------
    study : optuna.Study
        The study.
    facts : SearchRecord
        Facts of the search.
    records : sequence of TrialRecord
        Its trials that have ended.
    corrected : CorrectedScore, optional
        The corrected score of the best trial; None reads that of the study, if it has one.
    explanation : Explanation, optional
        Importance of columns and effects of values.
    predictions : RowPredictions, optional
        Out-of-fold predictions of the best trial.
    parameters : (DataFrame or None, Series or None)
        Coefficients and tree importances of the fitted best pipeline.
    tracking_uri, storage
        The settings of `Search`.
    """
    from automl.report import StudyResults

    run_id, model_uri = read_run(study) or "", ""
    with suppress(NoModelError, SettingError, StoreError):
        model_uri = find_model(run_id, tracking_uri) if run_id else ""
    if corrected is None and (saved := read_corrected(study)) is not None:
        corrected = CorrectedScore(**saved)
    return StudyResults(
        facts,
        tuple(records),
        param_importances(study),
        predictions,
        corrected,
        read_ensemble(study),
        explanation,
        *parameters,
        run_id=run_id,
        model_uri=model_uri,
        tracking_uri=tracking_uri or "",
        storage=str(storage) if isinstance(storage, str | Path) else "",
    )


def study_leaderboard(study: Study, *, tracking_uri: str | None = None, wide: bool = False) -> pd.DataFrame:
    """Return the leaderboard of a study, as `Search.leaderboard` does; empty if no trial has ended.

    Parameters
    ----------
    study : optuna.Study
        The study.
    tracking_uri : str or None
        The MLflow store that has the runs of the trials; without it their ids are missing.
    wide : bool
        Whether to add the epochs, all metrics, the parameters, and the ids of the runs.
    """
    records, runs = read_records(study), {}
    if wide and (run_id := read_run(study)):
        with suppress(SettingError, StoreError):
            runs = trial_runs(run_id, tracking_uri)
    baseline, corrected = read_baseline(study), read_corrected(study)
    return leaderboard(
        records,
        runs,
        read_search(study),
        read_ensemble(study),
        None if corrected is None else CorrectedScore(**corrected),
        Baseline(**baseline) if baseline and records else None,
        wide=wide,
    )


def winner_predictions(winner: Winner, out_of_fold: OutOfFold) -> RowPredictions | None:
    """Return the out-of-fold predictions of the best trial; None if they are not kept."""
    from automl.report import RowPredictions

    record, classes = winner.record, winner.plan.target.classes
    found = out_of_fold.predictions(record.number)
    if found is None:
        return None
    labels = None if classes is None else tuple(classes.tolist())
    return RowPredictions(out_of_fold.y, found, labels, f"trial {record.number} out of fold")


def winner_parameters(winner: Winner, best: Any) -> tuple[pd.DataFrame | None, pd.Series[float] | None]:
    """Return coefficients and tree importances of the fitted best pipeline; None for wide tables."""
    from automl.explain import coefficients, tree_importances

    if best is None or winner.plan.problem.sparse or winner.facts.n_columns > _MOST_COLUMNS:
        return None, None
    columns = [str(name) for name in winner.plan.frame.columns]
    return coefficients(best[1:], columns), tree_importances(best[1:], columns)


def write_report(results: StudyResults, path: str | Path) -> Path:
    """Write the report of a search to a file, and log it as an artifact of its run.

    Raises
    ------
    SettingError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        If MLflow's store cannot be written.
    """
    from automl.report import html_report

    page, file = html_report(results), Path(path)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        came = f"{file}: {error.strerror or error}"
        raise SettingError(Fault("path", "must be a file that can be written", came)) from error
    if results.run_id:
        try:
            log_page(results.run_id, page, "report.html", results.tracking_uri or None)
        except StoreError as error:
            warnings.warn(f"The report was not logged: {error}", stacklevel=3)
    return file


def report_study(
    study_name: str | None, path: str | Path, *, storage: Any = None, tracking_uri: str | None = None
) -> Path:
    """Write the report of a study, as `write_report` does.

    Parameters
    ----------
    study_name : str or None
        Name of the study; None is the newest one.
    path : str or Path
        The file.
    storage, tracking_uri
        Where the study and its runs are.

    Raises
    ------
    SettingError
        If there is no such study, or another program made it.
    """
    study = load_study(study_name, storage)
    facts = read_search(study)
    if facts is None:
        raise SettingError(foreign_study(study.study_name))
    records = read_records(study)
    return write_report(
        study_results(study, facts, records, tracking_uri=tracking_uri, storage=storage), path
    )
