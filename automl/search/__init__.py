"""One search from start to end: its specification, plan, loop and results."""

from automl.search.admission import Admission
from automl.search.analysis import report_study, study_leaderboard
from automl.search.budget import Budget
from automl.search.callbacks import Observers
from automl.search.checks import checked_search
from automl.search.cohort_run import CohortRun
from automl.search.comparing import Comparison, compare, find_study
from automl.search.estimator import Search
from automl.search.evaluating import evaluate_model
from automl.search.loop import Loop
from automl.search.opening import Opening
from automl.search.plan import Plan, make_plan
from automl.search.replay import Replay, replay_run, replay_trial
from automl.search.resume import settings_of
from automl.search.spec import SearchSpec, make_spec
from automl.search.sync import sync

__all__ = [
    "Admission",
    "Budget",
    "CohortRun",
    "Comparison",
    "Loop",
    "Observers",
    "Opening",
    "Plan",
    "Replay",
    "Search",
    "SearchSpec",
    "checked_search",
    "compare",
    "evaluate_model",
    "find_study",
    "make_plan",
    "make_spec",
    "replay_run",
    "report_study",
    "replay_trial",
    "settings_of",
    "study_leaderboard",
    "sync",
]
