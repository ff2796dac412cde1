"""A small table, cohorts for it, and a caller that replies at rungs."""

import numpy as np
import pandas as pd
import pytest

from automl.families import Problem
from automl.metrics import objectives_for
from automl.records import TrialSpec
from automl.table import TypedColumns, make_folds
from automl.workers import Cohort, RungReached, WorkerContext


@pytest.fixture(scope="session")
def context():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(90, 3)), columns=["a", "b", "c"])
    X["kind"] = rng.choice(["x", "y"], size=90)
    y = (X["a"] + 0.3 * rng.normal(size=90) > 0).to_numpy().astype(int)
    columns = TypedColumns()
    frame = columns.fit_transform(X)
    return WorkerContext(
        frame=frame,
        column_types=columns.column_types_,
        y=y,
        problem=Problem("binary", 2),
        folds=make_folds(y, "binary", 3, 0, None),
        objectives=objectives_for("roc_auc", None, "binary", 2),
        random_state=0,
    )


def _names_family(model):
    return any(isinstance(params, dict) for params in model.values()) and len(model) == 1


def _cohort(*models, number=0, deadline=float("inf")):
    """Return a cohort of linear models, or of ``{family: params}``, with trial numbers from ten times its own."""
    proposals = tuple(
        TrialSpec(
            number=10 * number + i,
            configuration={"model": model if _names_family(model) else {"linear": model}},
            params={},
            seed=i,
        )
        for i, model in enumerate(models)
    )
    return Cohort(number, proposals, deadline)


@pytest.fixture(scope="session")
def cohort():
    return _cohort


def _drive(workers, n_ends, prune=lambda rung, scores: set(), timeout=300):
    """Reply at rungs until ``n_ends`` cohorts have ended; return all events."""
    events = []
    while sum(not isinstance(event, RungReached) for event in events) < n_ends:
        event = workers.next(timeout)
        assert event is not None, "no event came"
        events.append(event)
        if isinstance(event, RungReached):
            event.reply(prune(event.rung, event.scores))
    return events


@pytest.fixture(scope="session")
def drive():
    return _drive
