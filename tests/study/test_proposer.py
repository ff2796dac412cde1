"""The choice of the next configuration."""

import optuna
import pytest
from optuna.trial import TrialState

from automl.families import load_space
from automl.records import Curve
from automl.study.optuna_private import storage_of
from tests.support.sessions import FEW, HERE, ONE, grid, score, search_all
from tests.support.studies import SPACE


def test_proposer_tries_initial_points_then_families_then_sampler(make_session):
    session = make_session()
    start, *leads = (session.propose(lambda leader: 1)[0] for _ in range(4))
    assert start.configuration["model"] == {"mlp": {"hidden_layer_sizes": [16], "dropout": 0.25}}
    families = [leader.family for leader in leads]
    assert sorted(families) == ["decision_tree", "linear", "mlp"]


def test_proposer_never_returns_forbidden_configurations(make_session):
    session = make_session()
    space = load_space(session._space)
    for _ in range(12):
        for proposal in session.propose(lambda leader: 3):
            assert not space.forbidden(proposal.configuration)
    refused = [t for t in session.study.trials if "forbidden" in t.user_attrs]
    assert refused
    assert {t.state for t in refused} == {TrialState.FAIL}


def test_proposer_replaces_sampler_that_proposes_only_forbidden(make_session):
    space = {
        "space": {
            "model": {"choice": {"mlp": {"dropout": [0.1, 0.2]}, "decision_tree": {"max_depth": [2, 5]}}}
        },
        "forbid": [{"decision_tree.max_depth": 5}, {"mlp.dropout": 0.2}],
    }
    stubborn = {"model": "mlp", "model.mlp.dropout": 0.2, "model.decision_tree.max_depth": 5}
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        sampler = optuna.samplers.PartialFixedSampler(stubborn, optuna.samplers.RandomSampler(0))
    session = make_session(space, sampler=sampler)
    found = [one.configuration["model"] for _ in range(2) for one in session.propose(lambda leader: 3)]
    assert {"mlp": {"dropout": 0.1}} in found
    assert {"decision_tree": {"max_depth": 2}} in found
    assert session.propose(lambda leader: 3) == ()


def test_proposer_draws_new_configurations_until_exhausted(make_session, record):
    session = make_session(FEW, sampler="tpe")
    depths = []
    for _ in range(4):
        (one,) = session.propose(lambda leader: 1)
        depths.append(one.params["model.decision_tree.max_depth"])
        session.tell(record(one, score=depths[-1], curve=Curve(rungs=(1,), scores=(depths[-1],))))
    assert set(depths) == {1, 2, 3, 4}
    assert not session.exhausted
    assert session.propose(lambda leader: 1) == ()
    assert session.exhausted
    assert len(session.study.trials) == 4  # nothing was stored for the repetitions


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_proposer_starts_with_a_cheap_trial_if_time_is_short(make_session, share):
    forest = {"random_forest": {"n_estimators": {"low": 1, "high": 200}}}
    space = {"space": {"model": {"choice": forest}}, "enqueue": [{"random_forest.n_estimators": 200}]}
    session = make_session(space)

    def trees(one):
        return one.family_params["n_estimators"]

    (first,) = session.propose(lambda leader: 1, cost=lambda one: share * trees(one) / 200)
    assert trees(first) == 200 if share < 0.1 else trees(first) < 30
    (second,) = session.propose(lambda leader: 1)
    assert trees(second) == 200 or share < 0.1


def test_proposer_repeats_proposals_for_a_seed(make_session, journal):
    def proposals():
        session = make_session(sampler="tpe")
        found = [one for _ in range(5) for one in session.propose(lambda leader: 3)]
        journal.unlink()
        return found

    assert proposals() == proposals()


@pytest.mark.parametrize("name", HERE)
def test_proposer_repeats_proposals_after_kills(make_session, record, journal, name):
    sampler = grid(SPACE) if name == "grid" else name
    whole = search_all(make_session(sampler=sampler), record, 12)
    journal.unlink()
    found = []
    for start in range(12):
        sampler = grid(SPACE) if name == "grid" else name
        found += search_all(make_session(sampler=sampler, resume=start > 0), record, 1)
    assert found == whole
    assert len({str(one.params) for one in whole}) > 20


def test_proposer_ends_when_sampler_stops_study(make_session, record):
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        sampler = optuna.samplers.BruteForceSampler(seed=0)
    space = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 5}}}}}}
    session = make_session(space, sampler=sampler)
    depths = [one.params["model.decision_tree.max_depth"] for one in search_all(session, record, 20, size=1)]
    assert sorted(depths) == [1, 2, 3, 4, 5]


def test_tpe_learns_families_and_their_parameters(make_session, record):
    """Trees are good, deep ones best; linear models are bad, those with a high learning rate worst."""
    space = {
        "space": {
            "model": {
                "choice": {
                    "linear": {"learning_rate": {"low": 0.001, "high": 1, "log": True}},
                    "decision_tree": {"max_depth": {"low": 1, "high": 1000}},
                }
            }
        }
    }
    session = make_session(space, sampler="tpe")
    late = {"linear": [], "decision_tree": []}
    for i in range(120):
        cohort = session.propose(lambda leader: 2)
        for one in cohort:
            ((family, params),) = one.configuration["model"].items()
            good = params["max_depth"] / 1000 if family == "decision_tree" else -params["learning_rate"]
            if i >= 60:
                late[family].append(params.get("max_depth") or params["learning_rate"])
            session.tell(record(one, score=good).model_copy(update={"family": family}))
    assert len(late["decision_tree"]) > 3 * len(late["linear"])
    assert sum(depth > 800 for depth in late["decision_tree"]) > 0.6 * len(late["decision_tree"])
    slow = [rate for rate in late["linear"] if rate < 0.03]
    assert len(slow) > 0.6 * len(late["linear"])


def test_stored_trial_has_parameters_of_its_configuration(make_session):
    session = make_session(sampler="tpe")
    cohorts = [session.propose(lambda leader: 4) for _ in range(5)]
    stored = session.study.trials
    for one in (one for cohort in cohorts for one in cohort):
        assert stored[one.number].state == TrialState.RUNNING
        assert session._space.suggest(optuna.trial.FixedTrial(stored[one.number].params)) == one.configuration
        assert stored[one.number].system_attrs == {}


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_session_reads_all_trials_once_a_cohort(make_session, record, monkeypatch, name):
    session = make_session(ONE, sampler=name, pruner="median")
    search_all(session, record, 8)
    calls = []
    looked = type(storage_of(session.study)).get_all_trials
    monkeypatch.setattr(
        type(storage_of(session.study)),
        "get_all_trials",
        lambda self, *args, **kwargs: calls.append(1) or looked(self, *args, **kwargs),
    )
    cohort = session.propose(lambda leader: 6)
    assert (len(cohort), len(calls)) == (6, 1)
    for rung in (1, 2, 4):
        session.report(rung, {one.number: score(one) for one in cohort})
    for one in cohort:
        session.tell(record(one))
    assert len(calls) == 1


def test_proposer_does_not_repeat_values_that_fail_together(make_session, record):
    session = make_session(SPACE, sampler="random")
    for _ in range(30):
        for one in session.propose(lambda leader: 1):
            failed = one.params.get("model.linear.loss") == "hinge"
            reason = "Traceback\nValueError: no hinge" if failed else ""
            session.tell(
                record(one, "failed" if failed else "complete", None if failed else 0.5, reason=reason)
            )
    reasons = {trial.user_attrs.get("forbidden") for trial in session.study.trials}
    assert any("failed before" in str(reason) for reason in reasons)
