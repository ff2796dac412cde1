"""One search from start to end: `Search`, its plan, its loop, and how it resumes."""

from automl.search.budget import Budget
from automl.search.cohort_run import CohortRun
from automl.search.estimator import Search
from automl.search.loop import Loop
from automl.search.plan import Plan, make_plan
from automl.search.replay import Replay, replay_run, replay_trial
from automl.search.resume import settings_of, sync

__all__ = [
    "Budget",
    "CohortRun",
    "Loop",
    "Plan",
    "Replay",
    "Search",
    "make_plan",
    "replay_run",
    "replay_trial",
    "settings_of",
    "sync",
]
