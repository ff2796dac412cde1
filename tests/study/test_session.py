import math
from copy import deepcopy

import optuna
import pytest
from optuna.trial import TrialState

from automl.families import family_of, load_space, structural
from automl.records import Curve
from automl.study import (
    Session,
    create_study,
    load_study,
    make_pruner,
    make_sampler,
    read_records,
    read_search,
)
from tests.support.studies import SEARCH, SPACE


def test_starts_lead_first_then_every_family_before_the_sampler_decides(session):
    proposing = session()
    start, *leads = (proposing.propose(lambda leader: 1)[0] for _ in range(4))
    assert start.configuration["model"] == {"mlp": {"hidden_layer_sizes": [16], "dropout": 0.25}}
    families = [family_of(leader.configuration)[0].name for leader in leads]
    assert sorted(families) == ["decision_tree", "linear", "mlp"]


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc"])
def test_members_share_the_leaders_structure_and_nothing_else(session, record, sampler):
    proposing = session(sampler=sampler)
    for i in range(8):
        sizes = []
        cohort = proposing.propose(lambda leader, sizes=sizes: sizes.append(leader) or 4)
        if proposing.duplicate(cohort[0].number) is not None:  # nothing to train: nothing to share
            assert (len(cohort), sizes) == (1, [])
            continue
        assert sizes == [cohort[0]]
        shared = [{path: value for path, value in one.params.items() if structural(path)} for one in cohort]
        assert len(cohort) == 4
        assert shared == [shared[0]] * 4
        if family_of(cohort[0].configuration)[0].name != "decision_tree":
            assert len({str(one.params) for one in cohort}) == 4
        assert len({one.seed for one in cohort}) == 4
        for one in cohort:
            proposing.tell(record(one, score=0.1 * i + one.number / 100))


def test_forbidden_configurations_are_never_returned(session):
    proposing = session()
    space = load_space(proposing._space)
    for _ in range(12):
        for proposal in proposing.propose(lambda leader: 3):
            assert not space.forbidden(proposal.configuration)
    refused = [t for t in proposing.study.trials if "forbidden" in t.user_attrs]
    assert refused
    assert {t.state for t in refused} == {TrialState.FAIL}


def test_a_sampler_that_insists_on_what_is_forbidden_is_passed_over(session):
    space = {
        "space": {
            "model": {"choice": {"mlp": {"dropout": [0.1, 0.2]}, "decision_tree": {"max_depth": [2, 5]}}}
        },
        "forbid": [{"decision_tree.max_depth": 5}, {"mlp.dropout": 0.2}],
    }
    stubborn = {"model": "mlp", "model.mlp.dropout": 0.2, "model.decision_tree.max_depth": 5}
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        sampler = optuna.samplers.PartialFixedSampler(stubborn, optuna.samplers.RandomSampler(0))
    proposing = session(space, sampler=sampler)
    for _ in range(4):
        (leader,) = proposing.propose(lambda leader: 3)
        assert leader.configuration["model"] in (
            {"mlp": {"dropout": 0.1}},
            {"decision_tree": {"max_depth": 2}},
        )


FEW = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 4}}}}}}


def test_a_known_configuration_is_a_twin_and_something_new_is_drawn_while_there_is_any(session, record):
    proposing = session(FEW, sampler="tpe")
    depths, first = [], {}
    while not proposing.exhausted:
        (one,) = proposing.propose(lambda leader: 1)
        depth = one.params["model.decision_tree.max_depth"]
        assert proposing.duplicate(one.number) == first.get(depth)
        known = record(one, score=depth, curve=Curve(rungs=(1,), scores=(depth,)))
        if depth in first:
            known = known.repeated(one)
        first.setdefault(depth, one.number)
        proposing.tell(known)
        depths.append(depth)
    assert set(depths) == {1, 2, 3, 4}
    assert len(depths) < 60
    assert proposing.study.trials[-2].value == depths[-2]


def test_a_trial_that_was_cut_short_is_not_known(session, record):
    proposing = session(FEW, sampler="random")
    states = iter(
        [("stopped", "the time was up"), ("pruned", "pruned at rung 1 of 2"), ("failed", "it broke")]
    )
    twins = []
    for _ in range(3):
        state, reason = next(states)
        proposing._proposer.initial_points = [{"model.decision_tree.max_depth": 2}]
        (one,) = proposing.propose(lambda leader: 1)
        twins.append(proposing.duplicate(one.number))
        known = record(one, state, reason=reason)
        proposing.tell(known if twins[-1] is None else known.repeated(one))
    assert twins == [None, None, 1]


def test_the_same_seed_proposes_the_same(session, journal):
    def proposals():
        proposing = session(sampler="tpe")
        found = [one for _ in range(5) for one in proposing.propose(lambda leader: 3)]
        journal.unlink()
        return found

    assert proposals() == proposals()


def test_judge_reports_and_prunes_what_the_pruner_says(session):
    class BelowHalf(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.intermediate_values[trial.last_step] < 0.5

    proposing = session(pruner=BelowHalf())
    a, b, c = (one.number for one in proposing.propose(lambda leader: 3))
    assert proposing.report(1, {a: 0.6, b: 0.4, c: 0.5}) == {b}
    assert proposing.report(2, {a: 0.1, c: 0.9}) == {a}
    assert proposing.report(1, {a: 0.6, c: 0.5}) == set()  # a cohort tried again comes by once more
    seen = [trial.intermediate_values for trial in proposing.study.trials]
    assert seen == [{1: 0.6, 2: 0.1}, {1: 0.4}, {1: 0.5, 2: 0.9}]


@pytest.mark.parametrize(("hide", "pruned"), [(False, True), (True, False)])
def test_hidden_trials_are_not_compared_with(session, record, hide, pruned):
    linear = {"space": {"model": {"linear": {"learning_rate": {"low": 1e-3, "high": 0.3}}}}}
    proposing = session(linear, pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0))
    old = proposing.propose(lambda leader: 3)
    for one in old:
        proposing.report(1, {one.number: 0.9})
        proposing.tell(record(one, score=0.9))
    (new,) = proposing.propose(lambda leader: 1, sees=old[0].number if hide else None)
    assert proposing.report(1, {new.number: 0.2}) == ({new.number} if pruned else set())


def test_trials_that_train_together_are_compared_with_each_other(session):
    linear = {"space": {"model": {"linear": {"learning_rate": {"low": 1e-3, "high": 0.3}}}}}
    proposing = session(linear, pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=0))
    cohort = [one.number for one in proposing.propose(lambda leader: 5)]
    scores = dict(zip(cohort, (0.5, 0.9, 0.1, 0.7, 0.3), strict=True))
    assert proposing.report(1, scores) == {cohort[2], cohort[4]}
    left = {number: scores[number] for number in (cohort[0], cohort[1], cohort[3])}
    assert proposing.report(2, left) == set()  # two others are too few for this pruner
    assert all(trial.state == TrialState.RUNNING for trial in proposing.study.trials)


@pytest.mark.parametrize(("before", "pruned"), [(0, [0, 1, 2, 3]), (5, [])])
def test_a_cohort_of_good_trials_is_not_halved_once_there_are_enough_to_judge_it_by(
    session, record, before, pruned
):
    linear = {"space": {"model": {"linear": {"learning_rate": {"low": 1e-3, "high": 0.3}}}}}
    proposing = session(linear, pruner="median")
    for _ in range(before):
        (one,) = proposing.propose(lambda leader: 1)
        proposing.report(1, {one.number: 0.5})
        proposing.tell(record(one, score=0.5))
    cohort = [one.number for one in proposing.propose(lambda leader: 8)]
    scores = {number: 0.91 + 0.01 * i for i, number in enumerate(cohort)}
    assert proposing.report(1, scores) == {cohort[i] for i in pruned}


def test_a_trial_is_compared_with_its_own_family_alone(session, record):
    proposing = session(pruner=optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0))

    def cohort_of(family):
        while True:
            (one,) = proposing.propose(lambda leader: 1)
            if one.params["model"] == family:
                return one
            proposing.tell(record(one, "failed", None))

    good = cohort_of("linear")
    proposing.report(1, {good.number: 0.9})
    proposing.tell(record(good, score=0.9))
    other, same = cohort_of("mlp"), cohort_of("linear")
    assert proposing.report(1, {other.number: 0.2}) == set()
    assert proposing.report(1, {same.number: 0.2}) == {same.number}


def test_what_is_told_can_be_read_from_the_journal(session, record, journal):
    proposing = session()
    curve = Curve(losses=(0.7, math.nan), learning_rates=(0.1, 0.05), rungs=(1, 2), scores=(0.5, 0.25))
    a, b, c, d = proposing.propose(lambda leader: 4)
    told = [
        record(a, score=0.25, curve=curve, fold_scores=(0.5, 0.0), metrics={"f1": 0.5}, seconds=1.5),
        record(b, "failed", None, fold_scores=(math.nan, math.inf), reason="score at rung 1 is nan"),
        record(c, "pruned", 0.5, reason="pruned at rung 1 of 2"),
    ]
    for one in reversed(told):
        proposing.tell(one)
    study = load_study("s", journal)
    assert [one.model_dump_json() for one in read_records(study)] == [one.model_dump_json() for one in told]
    assert read_search(study).random_state == 7
    states = [trial.state for trial in study.trials]
    assert states == [TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING]
    assert study.best_value == 0.25
    with pytest.raises(KeyError):
        proposing.tell(told[0])


def test_a_study_that_others_made_is_about_nothing():
    study = optuna.create_study()
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert read_search(study) is None
    assert read_records(study) == []


# Several objectives, and limits

SEVERAL = SEARCH.model_copy(
    update={
        "scoring": "roc_auc, model_bytes",
        "directions": ("maximize", "minimize"),
        "constraints": {"fit_seconds": 1},
    }
)


def test_a_study_of_several_objectives_is_told_values_and_constraints_and_prunes_nothing(journal, record):
    study = create_study(
        "s",
        journal,
        sampler=make_sampler("tpe", 7),
        pruner=make_pruner(None, 2),
        directions=SEVERAL.directions,
    )
    proposing = Session(study, load_space(SPACE), SEVERAL)
    cohort = proposing.propose(lambda leader: 3)
    numbers = [one.number for one in cohort]
    assert proposing.report(1, dict.fromkeys(numbers, 0.5)) == set()
    values = {"roc_auc": 0.7, "model_bytes": 512.0, "fit_seconds": 0.5}
    proposing.tell(record(cohort[0], score=0.7, values=values, excess={"fit_seconds": -0.5}))
    proposing.tell(
        record(cohort[1], score=0.8, values={**values, "roc_auc": 0.8}, excess={"fit_seconds": 0.25})
    )
    proposing.tell(record(cohort[2], "stopped"))
    within, over, stopped = load_study("s", journal).get_trials()
    assert (within.values, within.constraints) == ([0.7, 512.0], {"fit_seconds": -0.5})
    assert (over.values, over.constraints) == ([0.8, 512.0], {"fit_seconds": 0.25})
    assert (stopped.state, stopped.values, stopped.constraints) == (TrialState.PRUNED, None, {})
    assert [trial.number for trial in study.best_trials] == [within.number]
    assert read_search(study) == SEVERAL


def test_a_loss_is_kept_as_it_is_and_judged_as_one(journal, record):
    about = SEARCH.model_copy(update={"scoring": "loss", "directions": ("minimize",)})
    study = create_study(
        "s",
        journal,
        sampler=make_sampler("random", 7),
        pruner=make_pruner("median"),
        directions=("minimize",),
    )
    proposing = Session(study, load_space(FEW), about)
    pruned = set()
    for loss in (*[1.0] * 10, 3.0):
        (one,) = proposing.propose(lambda leader: 1)
        if proposing.duplicate(one.number) is not None:
            proposing.tell(record(one, score=-loss, curve=Curve(rungs=(1, 2), scores=(-loss, -loss))))
            continue
        proposing.report(1, {one.number: -loss})
        pruned |= proposing.report(2, {one.number: -loss})
        proposing.tell(record(one, score=-loss))
    trials = study.get_trials()
    assert [trial.value for trial in trials] == [1.0] * 10 + [3.0]
    assert all(set(trial.intermediate_values.values()) == {trial.value} for trial in trials)
    assert study.best_value == 1.0


def test_what_was_at_work_is_trained_again_under_its_number_in_a_space_that_has_become_wider(session, record):
    dead = session(sampler="tpe")
    cohorts = [dead.propose(lambda leader: 3) for _ in range(5)]
    left = [one for cohort in cohorts[1:] for one in cohort]
    for one in cohorts[0]:
        dead.tell(record(one, score=0.1 * one.number))
    wider = deepcopy(SPACE)
    linear = wider["space"]["model"]["choice"]["linear"]
    linear["l1"] = [0, {"low": 1e-7, "high": 1, "log": True}, {"low": 2, "high": 3}]
    linear["learning_rate"] = [0.5, linear["learning_rate"]]
    linear["max_epochs"] = [20, 40]
    wider["space"]["preprocess"]["numeric"]["scale"] = ["none", "robust", "standard"]
    wider["space"]["model"]["choice"]["mlp"]["hidden_layer_sizes"] = [[4], [8], [16]]
    assert any(one.params.get("model.linear.l1", 0) > 0 for one in left)
    alive = session(wider, sampler="tpe", resume=True)
    again = alive.poll_remote().orphaned
    assert [one for cohort in again for one in cohort] == left
    for one in left:
        alive.tell(record(one, score=0.1 * one.number))
    for _ in range(12):
        for one in alive.propose(lambda leader: 3):
            alive.tell(record(one, score=0.01 * one.number))
    trials = alive.study.trials
    states = {one.state for one in trials if "forbidden" not in one.user_attrs}
    assert states == {TrialState.COMPLETE}


class Neighbour:
    """A lease among processes that are all alive."""

    def __init__(self, token):
        self.token = token

    def heartbeat(self):
        pass

    def is_first(self):
        return True

    def is_alive(self, token):
        return True


@pytest.fixture
def neighbours(journal):
    """Two sessions on one study, as two processes have them."""

    def neighbours(space, n_trials=None):
        create_study("s", journal, sampler=make_sampler("random", 7), pruner=make_pruner("none"))
        return [
            Session(load_study("s", journal), load_space(space), SEARCH, Neighbour(token), n_trials)
            for token in ("one", "two")
        ]

    return neighbours


def test_of_two_processes_that_propose_the_last_trial_at_once_only_the_first_has_it(neighbours):
    one, two = neighbours(SPACE, n_trials=1)
    first = []
    # While the second has drawn its leader and asks how large the cohort shall be, the first proposes.
    assert two.propose(lambda leader: first.extend(one.propose(lambda leader: 1)) or 1) == ()
    assert [proposal.number for proposal in first] == [0]
    kept, surplus = two.study.get_trials()
    assert (kept.state, kept.user_attrs["owner"]) == (TrialState.RUNNING, "one")
    assert (surplus.state, surplus.user_attrs["surplus"]) == (TrialState.FAIL, True)


def test_two_processes_that_propose_the_same_at_once_train_it_once(neighbours, record):
    one, two = neighbours(FEW | {"enqueue": [{"decision_tree.max_depth": 2}]})
    first = []
    (second,) = two.propose(lambda leader: first.extend(one.propose(lambda leader: 1)) or 1)
    assert (first[0].number, second.number) == (0, 1)
    assert first[0].configuration == second.configuration
    assert one.duplicate(0) is None
    assert two.duplicate(1) == 0
    assert two.remote_trials == {0}
    one.tell(record(first[0], score=0.75))
    two._remote._polled = float("-inf")
    assert [told.score for told in two.poll_remote().records] == [0.75]
    assert two.remote_trials == set()
