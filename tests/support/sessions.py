"""Spaces and helpers for tests of sessions."""

from importlib.util import find_spec

from automl.families import load_space
from automl.study import make_sampler
from automl.study.samplers import SAMPLERS

SMALL = {
    "space": {
        "model": {
            "choice": {
                "linear": {"learning_rate": {"low": 0.01, "high": 0.1}, "loss": ["logistic", "hinge"]},
                "decision_tree": {"max_depth": {"low": 1, "high": 3}},
            }
        }
    },
    "forbid": [{"linear.loss": "hinge", "linear.learning_rate": {"above": 0.05}}],
}


ONE = {"space": {"model": {"choice": {"linear": {"learning_rate": {"low": 0.01, "high": 0.1}}}}}}


FEW = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 4}}}}}}


HERE = [name for name, row in SAMPLERS.items() if not row.package or find_spec(row.package)]


def score(proposal):
    """Return a score that follows from the configuration."""
    return sum(value for value in proposal.params.values() if isinstance(value, float)) % 1.0


def grid(space, number="grid:2"):
    return make_sampler(number, 7, load_space(space))


def search_all(session, record, n_cohorts, size=3):
    """Propose cohorts and tell the results of each before the next; return all trials."""
    found = []
    for _ in range(n_cohorts):
        cohort = session.propose(lambda leader: size)
        for one in cohort:
            if session.duplicate(one.number) is None:
                session.report(1, {one.number: score(one)})
            family = next(iter(one.configuration["model"]))
            session.tell(record(one, score=score(one)).model_copy(update={"family": family}))
        found += cohort
    return found
