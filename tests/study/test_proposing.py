"""Sessions with every kind of sampler and pruner."""

from importlib.util import find_spec

import optuna
import pytest
from optuna.trial import TrialState

from automl.families import load_space, structural
from automl.records import Curve
from automl.study import create_study, make_pruner, make_sampler
from automl.study.optuna_private import storage_of
from automl.study.pruners import PRUNERS
from automl.study.samplers import SAMPLERS
from tests.support.studies import SPACE

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
HERE = [name for name, row in SAMPLERS.items() if not row.package or find_spec(row.package)]


def score(proposal):
    """Return a score that follows from the configuration."""
    return sum(value for value in proposal.params.values() if isinstance(value, float)) % 1.0


def grid(space, number="grid:2"):
    return make_sampler(number, 7, load_space(space))


def told(proposing, record, n_cohorts, size=3):
    """Return what is proposed where every cohort is told before the next."""
    found = []
    for _ in range(n_cohorts):
        cohort = proposing.propose(lambda leader: size)
        for one in cohort:
            if proposing.duplicate(one.number) is None:
                proposing.report(1, {one.number: score(one)})
            family = next(iter(one.configuration["model"]))
            proposing.tell(record(one, score=score(one)).model_copy(update={"family": family}))
        found += cohort
    return found


@pytest.mark.parametrize("name", HERE)
def test_a_session_that_is_killed_after_every_cohort_proposes_the_same(session, record, journal, name):
    sampler = grid(SPACE) if name == "grid" else name
    whole = told(session(sampler=sampler), record, 12)
    journal.unlink()
    found = []
    for start in range(12):
        sampler = grid(SPACE) if name == "grid" else name
        found += told(session(sampler=sampler, resume=start > 0), record, 1)
    assert found == whole
    assert len({str(one.params) for one in whole}) > 20


def test_a_grid_is_taken_to_its_end_each_point_once(session, record):
    space = load_space(SMALL)
    proposing = session(SMALL, sampler=grid(SMALL, "grid:3"))
    expected = {str(space.params(one)) for one in space.grid(3)}
    found = []
    while cohort := proposing.propose(lambda leader: 2):
        shared = [{path: value for path, value in one.params.items() if structural(path)} for one in cohort]
        assert shared == [shared[0]] * len(cohort)
        for one in cohort:
            proposing.tell(record(one))
        found.append(cohort)
    params = [str(one.params) for cohort in found for one in cohort]
    assert len(params) == len(set(params))
    assert set(params) == expected
    assert max(map(len, found)) == 2


def test_a_grid_goes_on_where_it_stopped_after_what_is_known_by_heart(session, record):
    started = {**SMALL, "enqueue": [{"model": "decision_tree", "decision_tree.max_depth": 2}]}
    first = session(started, sampler=grid(started))
    (start,) = first.propose(lambda leader: 1)
    assert start.configuration["model"] == {"decision_tree": {"max_depth": 2}}
    done = [start, *first.propose(lambda leader: 2)]
    for one in done:
        first.tell(record(one))
    second = session(started, sampler=grid(started), resume=True)
    while cohort := second.propose(lambda leader: 8):
        for one in cohort:
            second.tell(record(one))
            done.append(one)
    params = [str(one.params) for one in done]
    assert len(params) == len(set(params))
    assert set(params) == {
        str(start.params),
        *(str(second._space.params(one)) for one in second._space.grid(2)),
    }


def test_a_grid_of_optuna_is_taken_to_its_end_too(session, record):
    sampler = optuna.samplers.GridSampler(
        {
            "model": ["linear", "decision_tree"],
            "model.linear.learning_rate": [0.02, 0.08],
            "model.linear.loss": ["logistic", "hinge"],
            "model.decision_tree.max_depth": [1, 2],
        }
    )
    proposing = session(SMALL, sampler=make_sampler(sampler, 0, load_space(SMALL)))
    found = told(proposing, record, 10)
    assert len({str(one.params) for one in found}) == len(found) == 3 + 2
    assert proposing.propose(lambda leader: 1) == ()


def test_a_sampler_that_stops_the_study_ends_the_proposals(session, record):
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        sampler = optuna.samplers.BruteForceSampler(seed=0)
    space = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 5}}}}}}
    proposing = session(space, sampler=sampler)
    depths = [one.params["model.decision_tree.max_depth"] for one in told(proposing, record, 20, size=1)]
    assert sorted(depths) == [1, 2, 3, 4, 5]


def test_the_family_comes_first_and_then_its_own_past_is_looked_at(session, record):
    """Trees are good, deep ones best; linear models are all bad, the slow ones least: both lessons are learned."""
    space = {
        "space": {
            "model": {
                "choice": {
                    "linear": {"learning_rate": {"low": 0.001, "high": 1, "log": True}},
                    "decision_tree": {"max_depth": {"low": 1, "high": 100}},
                }
            }
        }
    }
    proposing = session(space, sampler="tpe")
    late = {"linear": [], "decision_tree": []}
    for i in range(120):
        cohort = proposing.propose(lambda leader: 2)
        for one in cohort:
            ((family, params),) = one.configuration["model"].items()
            good = params["max_depth"] / 100 if family == "decision_tree" else -params["learning_rate"]
            if i >= 60:
                late[family].append(params.get("max_depth") or params["learning_rate"])
            proposing.tell(record(one, score=good).model_copy(update={"family": family}))
    assert len(late["decision_tree"]) > 3 * len(late["linear"])
    assert sum(depth > 80 for depth in late["decision_tree"]) > 0.6 * len(late["decision_tree"])
    slow = [rate for rate in late["linear"] if rate < 0.03]
    assert len(slow) > 0.6 * len(late["linear"])


@pytest.mark.parametrize("name", ["threshold:0.6" if name == "threshold" else name for name in PRUNERS])
@pytest.mark.parametrize("repeatable", [True, False])
def test_a_pruner_sees_what_the_schedule_lets_it_see(journal, session, record, name, repeatable):
    """A cohort is judged once with, and once without, the good results that came after it was proposed."""

    def judged(late_results):
        proposing = session(ONE, pruner=name)
        for i in range(6):
            for one in proposing.propose(lambda leader: 4):
                curve = [0.5 + i / 20 + rung / 100 for rung in range(4)]
                for rung, value in zip((1, 2, 4, 8), curve, strict=True):
                    proposing.report(rung, {one.number: value})
                proposing.tell(record(one, score=curve[-1], curve=Curve(rungs=(1, 2, 4, 8), scores=curve)))
        known = proposing.study.trials[-1].number + 1
        mine = proposing.propose(lambda leader: 6, known if repeatable else None)
        others = proposing.propose(lambda leader: 12, known if repeatable else None)
        for one in others if late_results else ():
            curve = [0.95 - rung / 100 for rung in range(4)]
            for rung, value in zip((1, 2, 4, 8), curve, strict=True):
                proposing.report(rung, {one.number: value})
            proposing.tell(record(one, score=curve[-1], curve=Curve(rungs=(1, 2, 4, 8), scores=curve)))
        pruned = []
        scores = {one.number: 0.55 + i / 20 for i, one in enumerate(mine)}
        for rung in (1, 2, 4, 8):
            scores = {number: value for number, value in scores.items() if number not in dict(pruned)}
            if scores:
                said = proposing.report(rung, {number: value - rung / 50 for number, value in scores.items()})
                pruned += [(number, rung) for number in sorted(said)]
        journal.unlink()
        return pruned

    alone, together = judged(False), judged(True)
    assert (alone != []) == (name != "none")
    blind = name.startswith(("none", "threshold"))
    assert (together == alone) == (repeatable or blind)


def test_two_searches_of_different_names_are_halved_alike(tmp_path, record):
    from automl.study import Session
    from tests.support.studies import SEARCH

    pruned = []
    for name in ("morning", "evening"):
        study = create_study(
            name,
            tmp_path / f"{name}.journal",
            sampler=make_sampler("random", 0),
            pruner=make_pruner("hyperband"),
        )
        proposing = Session(study, load_space(ONE), SEARCH)
        said = []
        for i in range(12):
            cohort = proposing.propose(lambda leader: 4)
            alive = {one.number: (one.number * 7 + i) % 10 / 10 for one in cohort}
            for rung in (1, 3, 9, 27):
                if alive:
                    gone = proposing.report(rung, alive)
                    said += sorted((number, rung) for number in gone)
                    alive = {number: value for number, value in alive.items() if number not in gone}
            for one in cohort:
                proposing.tell(record(one, "complete" if one.number in alive else "pruned"))
        pruned.append(said)
    assert pruned[0] == pruned[1] != []


def test_what_is_kept_of_a_trial_is_what_it_was_drawn_with(session):
    proposing = session(sampler="tpe")
    cohorts = [proposing.propose(lambda leader: 4) for _ in range(5)]
    stored = proposing.study.trials
    for one in (one for cohort in cohorts for one in cohort):
        assert stored[one.number].state == TrialState.RUNNING
        assert (
            proposing._space.suggest(optuna.trial.FixedTrial(stored[one.number].params)) == one.configuration
        )
        assert stored[one.number].system_attrs == {}


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_all_trials_are_looked_through_once_a_cohort_and_never_to_judge_or_to_tell(
    session, record, monkeypatch, name
):
    proposing = session(ONE, sampler=name, pruner="median")
    told(proposing, record, 8)
    calls = []
    looked = type(storage_of(proposing.study)).get_all_trials
    monkeypatch.setattr(
        type(storage_of(proposing.study)),
        "get_all_trials",
        lambda self, *args, **kwargs: calls.append(1) or looked(self, *args, **kwargs),
    )
    cohort = proposing.propose(lambda leader: 6)
    assert (len(cohort), len(calls)) == (6, 1)
    for rung in (1, 2, 4):
        proposing.report(rung, {one.number: score(one) for one in cohort})
    for one in cohort:
        proposing.tell(record(one))
    assert len(calls) == 1
