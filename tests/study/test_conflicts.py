"""Proposals after failed trials."""

import pytest

from tests.support.sessions import grid

FOREST = {
    "estimator": "sklearn.ensemble.ExtraTreesClassifier",
    "criterion": ["gini", "entropy"],
    "bootstrap": [True, False],
    "min_samples_leaf": {"low": 1, "high": 50},
}
SPACE = {"space": {"model": {"choice": {"mine": FOREST}}}}
ERROR = "Traceback (most recent call last):\n  File ...\nValueError: no\n"


def run(session, record, n_trials, fails):
    """Propose and tell trials one by one; return their configurations, and whether each failed."""
    found = []
    for _ in range(n_trials):
        for one in session.propose(lambda leader: 1):
            params = one.configuration["model"]["mine"]
            if fails(params):
                session.tell(record(one, "failed", None, reason=ERROR))
            else:
                session.tell(record(one))
            found.append((params, fails(params)))
    return found


@pytest.mark.parametrize("sampler", ["random", "tpe", "grid:3"])
def test_session_avoids_values_that_failed_twice(make_session, record, sampler):
    sampler = grid(SPACE, sampler) if sampler.startswith("grid") else sampler
    found = run(make_session(SPACE, sampler=sampler), record, 12, lambda params: not params["bootstrap"])
    assert sum(failed for _, failed in found) in (2, 3, 4)  # two of each criterion before one has trained
    assert any(params["criterion"] == "gini" for params, failed in found if not failed)


def test_session_never_repeats_a_failed_configuration(make_session, record):
    few = {**FOREST, "min_samples_leaf": [1, 2], "bootstrap": True}
    session = make_session({"space": {"model": {"choice": {"mine": few}}}})
    found = run(session, record, 12, lambda params: params["min_samples_leaf"] == 2)
    failed = [str(params) for params, fails in found if fails]
    assert len(failed) == len(set(failed)) == 2
    assert len(found) == 4
    assert session.propose(lambda leader: 1) == ()


def test_session_ends_when_everything_failed(make_session, record):
    few = {**FOREST, "min_samples_leaf": [1, 2]}
    session = make_session({"space": {"model": {"choice": {"mine": few}}}})
    found = run(session, record, 20, lambda params: True)
    assert len(found) <= 8
    assert session.propose(lambda leader: 1) == ()


def test_session_proposes_the_same_after_resuming(make_session, record, journal):
    def fails(params):
        return not params["bootstrap"]

    undisturbed = run(make_session(SPACE), record, 10, fails)
    journal.unlink()
    halves = run(make_session(SPACE), record, 5, fails)
    halves += run(make_session(SPACE, resume=True), record, 5, fails)
    assert halves == undisturbed
