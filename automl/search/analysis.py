"""What a finished search hands to the packages `report` and `explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl.records import TrialRecord
from automl.search.finish import Winner
from automl.study import Study, param_importances

if TYPE_CHECKING:
    from automl.report import StudyResults

__all__ = ["study_results"]


def study_results(study: Study, records: Sequence[TrialRecord], winner: Winner) -> StudyResults:
    """Return the data of figures and of the report.

    Parameters
    ----------
    study : optuna.Study
        The study.
    records : sequence of TrialRecord
        Its trials that have ended.
    winner : Winner
        The best trial, and the table.
    """
    from automl.report import StudyResults

    return StudyResults(winner.facts, tuple(records), param_importances(study))
