"""The results of a search on the page of its MLflow run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from automl.errors import without_passwords
from automl.records import TrialRecord
from automl.search.analysis import study_results, winner_parameters, winner_predictions
from automl.search.budget import Budget
from automl.search.finish import Winner
from automl.search.publish import next_commands, report_files, report_note, shell_options
from automl.select import CorrectedScore, OutOfFold
from automl.study import Study
from automl.tracking import Description, Tracker

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ResultsPage"]


@dataclass(frozen=True)
class ResultsPage:
    """Write description and leaderboard, and if there is time report and figures.

    Parameters
    ----------
    tracker : Tracker
        Writes them.
    study : optuna.Study
        The study.
    budget : Budget
        The time of the search.
    stores : mapping
        The settings ``storage`` and ``tracking_uri``.
    slowness : float
        Factor on the seconds of a report, for a slow machine.
    stage : callable
        Shows what is being done.
    """

    tracker: Tracker
    study: Study
    budget: Budget
    stores: Mapping[str, Any]
    slowness: float
    stage: Callable[[str], None]

    def write(
        self,
        winner: Winner,
        records: Sequence[TrialRecord],
        corrected: CorrectedScore | None,
        boards: tuple[pd.DataFrame, pd.DataFrame],
        seconds: Mapping[str, float],
        model_uri: str,
        out_of_fold: OutOfFold,
        best: Any,
    ) -> None:
        """Write the results of a search; warn if its report fails.

        Parameters
        ----------
        winner, records, corrected
            The results.
        boards : pair of DataFrame
            The leaderboard for MLflow's table, and the one with all columns for the CSV file.
        seconds : mapping of str to float
            Seconds that parts of the search took.
        model_uri : str
            The logged model; empty if there is none.
        out_of_fold : OutOfFold
            Predictions for the figures.
        best : Pipeline or None
            The best pipeline, fitted on all rows.
        """
        facts, options = winner.facts, shell_options(self.stores)
        options = None if options is None else without_passwords(options)
        note = report_note(facts, self.budget, self.slowness, options)
        found = Description(
            facts,
            records,
            winner.record,
            winner.ensemble.record,
            {} if corrected is None else asdict(corrected),
            None if winner.baseline is None else winner.baseline.score,
            seconds,
            next_commands(facts, model_uri, self.tracker.tracking_uri, options),
            [note] if note else [],
        )
        board, wide = boards
        self.tracker.log_results(
            found, {"leaderboard.csv": wide.to_csv()}, {"leaderboard.json": board.reset_index()}
        )
        if note:
            return
        self.stage("writing the report")
        try:
            predictions = winner_predictions(winner, out_of_fold)
            results = study_results(
                self.study,
                facts,
                records,
                corrected=corrected,
                predictions=predictions,
                parameters=winner_parameters(winner, best),
                **self.stores,
            )
            self.tracker.log_files(report_files(results, lambda: self.budget.remaining > 0))
        except Exception as error:
            # The search has its results; the command line can write the report.
            warnings.warn(f"No report was written: {type(error).__name__}: {error}", stacklevel=3)
