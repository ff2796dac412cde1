"""The cost model."""

import pytest

from automl.families import FAMILIES
from automl.families.boosting.trainer import patience
from automl.records import TrialRecord
from automl.search.costs import CostModel
from automl.workers import (
    Killed,
)
from tests.support.scripted import (
    EPOCHS,
    Clock,
    ScriptedSession,
    ScriptedWorkers,
    finished,
    loop,
    record,
    search_spec,
)


def test_cost_model_learns_from_trials():
    search = loop(ScriptedWorkers(finished), n_trials=8)
    search.run()
    work = FAMILIES["linear"].cost({"max_epochs": EPOCHS}, 200, 5)
    assert search.admission.costs.seconds("linear", work) == pytest.approx(0.5)


def test_cost_model_learns_from_earlier_trials():
    clock, session = Clock(), ScriptedSession("decision_tree")
    proposals = [session.proposal() for _ in range(4)]
    known = [record(proposal, seconds=20) for proposal in proposals[:3]]
    known.append(known[0].repeated(proposals[3]))  # a duplicate has no cost

    def script(cohort):
        clock.now += 1
        yield from finished(cohort, seconds=1)

    search = loop(ScriptedWorkers(script), session, timeout=10, clock=clock, known=known)
    search.run()
    assert search.records[:4] == known
    assert {one.reason for one in search.records[4:]} == {"not started: about 20 s to train, 10 s left"}


def test_cost_model_learns_from_killed_trials():
    clock = Clock()

    def script(cohort):
        clock.now += 5
        yield Killed(cohort, "trial_timeout", "took longer than trial_timeout, 5 s", 5.0)

    session = ScriptedSession("decision_tree")
    search = loop(ScriptedWorkers(script), session, timeout=28, clock=clock, trial_timeout=5)
    search.run()
    assert [one.state for one in search.records[:5]] == ["pruned"] * 5
    assert {one.reason for one in search.records[5:]} == {"not started: about 5 s to train, 3 s left"}
    assert clock.now == 25


def test_cost_model_ignores_trials_killed_early():
    search = loop(ScriptedWorkers(finished), n_trials=8)
    search.run()
    work = FAMILIES["linear"].cost({"max_epochs": EPOCHS}, 200, 5)
    known = search.admission.costs.seconds("linear", work)
    for seconds, more in ((0.9 * known, False), (2 * known, True)):
        search.admission.costs.learn_minimum([ScriptedSession().proposal()], seconds)
        assert (search.admission.costs.seconds("linear", work) > known) == more


def test_cost_model_weighs_large_and_recent_observations_more():
    costs = CostModel(search_spec().facts)
    assert costs.seconds("tree", 1000, guess=0.01) == pytest.approx(10)
    costs.observe("tree", cost=100, seconds=2)
    assert costs.seconds("tree", 1000, guess=0.01) == pytest.approx(20)
    costs.observe("tree", cost=1, seconds=1)  # small, mostly overhead
    assert costs.seconds("tree", 1000) == pytest.approx(1000 * 2.6 / 81)
    costs.observe("tree", cost=1000, seconds=50)
    assert costs.seconds("tree", 1000) == pytest.approx(1000 * 52.08 / 1064.8)
    costs.observe("tree", cost=0, seconds=5)  # no work, no observation
    assert costs.seconds("tree", 1000) == pytest.approx(1000 * 52.08 / 1064.8)
    assert costs.seconds("other", 1000) == 0


def test_cost_model_learns_from_the_first_rung():
    costs = CostModel(search_spec().facts)
    trial = ScriptedSession("random_forest").proposal()
    guessed, trees = costs.trial_seconds([trial]), FAMILIES["random_forest"].epochs({})
    assert costs.doubt(trial) > 4
    costs.learn_rung([trial], 1, 10 * guessed / trees)
    assert costs.trial_seconds([trial]) == pytest.approx(10 * guessed, rel=0.5)
    assert 1 < costs.doubt(trial) < 4
    costs.learn([record(trial, seconds=guessed)])
    assert costs.trial_seconds([trial]) == pytest.approx(guessed)
    assert costs.doubt(trial) == 1


def test_cost_model_ignores_a_rung_without_seconds():
    costs, trial = CostModel(search_spec().facts), ScriptedSession("lightgbm").proposal()
    killed = record(trial, seconds=6).model_copy(update={"state": "stopped"})
    expected = costs.refit_seconds(killed)
    costs.learn_rung([trial], 1, 0.0)
    assert costs.refit_seconds(killed) == expected > 0
    assert costs.doubt(trial) > 4


def test_refit_seconds_follow_from_the_trial():
    spec = search_spec()
    costs, trial = CostModel(spec.facts), ScriptedSession("decision_tree").proposal()
    costs.observe("decision_tree", cost=1.0, seconds=100.0)  # of other trials
    folds = max(spec.facts.n_folds - 1, 0.8)
    assert costs.refit_seconds(record(trial, seconds=6)) == pytest.approx(6 / folds)


def test_refit_seconds_of_a_trial_that_trained_beyond_its_model():
    spec = search_spec()
    folds = max(spec.facts.n_folds - 1, 0.8)
    costs, trial = CostModel(spec.facts), ScriptedSession("lightgbm").proposal()
    early = record(trial, seconds=6).model_copy(update={"found_params": {"n_estimators": 80}})
    fold_rows = int(spec.facts.n_rows * folds) // spec.facts.n_folds
    share = 80 / (80 + patience(80, fold_rows))
    assert costs.refit_seconds(early) == pytest.approx(6 * share / folds)
    stopped = record(trial, seconds=6).model_copy(update={"state": "stopped"})
    costs.learn_rung([trial], 4, seconds=2)
    assert costs.refit_seconds(stopped) == pytest.approx(2 / folds)


def test_refit_seconds_of_a_boosting_that_was_stopped_follow_its_best_tree():
    spec = search_spec()
    folds = max(spec.facts.n_folds - 1, 0.8)
    costs, trial = CostModel(spec.facts), ScriptedSession("lightgbm").proposal()
    stopped = record(trial, seconds=6).model_copy(update={"state": "stopped", "fit_seconds": 4.0})
    assert stopped.curve.rungs[-1] == 4  # 100 trees
    for best in (80, 120):
        found = stopped.model_copy(update={"found_params": {"n_estimators": best}})
        assert costs.refit_seconds(found) == pytest.approx(4 * best / 100 / folds)


def test_refit_seconds_are_those_of_fits_and_of_the_first_preparation():
    spec = search_spec()
    folds = max(spec.facts.n_folds - 1, 0.8)
    costs, session = CostModel(spec.facts), ScriptedSession("decision_tree")
    first, second = (record(session.proposal(), seconds=10) for _ in range(2))
    costs.learn([first.model_copy(update={"prepare_seconds": 5.0, "fit_seconds": 3.0})])
    later = second.model_copy(update={"prepare_seconds": 0.01, "fit_seconds": 4.0})
    costs.learn([later])
    assert costs.refit_seconds(later) == pytest.approx((4 + 5) / folds)
    configuration = {**later.configuration, "preprocess": {"numeric": {}}}
    other = TrialRecord(**{**later.model_dump(), "configuration": configuration})
    assert costs.refit_seconds(other) == pytest.approx((4 + 0.01) / folds)


def test_cost_model_counts_the_folds_that_were_trained():
    session = ScriptedSession("decision_tree")
    whole, part = (CostModel(search_spec().facts) for _ in range(2))
    trial = record(session.proposal(), seconds=6.0)
    whole.learn([trial.model_copy(update={"fold_scores": (0.5, 0.5, 0.5)})])
    pruned = {"state": "pruned", "fold_scores": (0.5,), "folds_left": 2, "seconds": 2.0}
    part.learn([trial.model_copy(update=pruned)])
    assert part.trial_seconds([trial.spec]) == pytest.approx(whole.trial_seconds([trial.spec]))
    rung = FAMILIES["lightgbm"].last_rung({}, 1) // 2
    trial = ScriptedSession("lightgbm").proposal()
    beside, in_turn = (CostModel(search_spec().facts) for _ in range(2))
    beside.learn_rung([trial], rung, 6.0)
    in_turn.learn_rung([trial], rung, 6.0 / search_spec().facts.n_folds, in_turn=True)
    assert in_turn.trial_seconds([trial]) == pytest.approx(beside.trial_seconds([trial]))


def of_kind(trial, features):
    configuration = {**trial.configuration, "preprocess": {"features": {features: {}}}}
    return trial.model_copy(update={"configuration": configuration})


def test_cost_model_tells_made_columns_apart():
    costs, session = CostModel(search_spec().facts), ScriptedSession("lightgbm")
    plain, pairs = (of_kind(record(session.proposal(), seconds=9.0), kind) for kind in ("none", "pairs"))
    costs.learn([pairs])
    assert costs.trial_seconds([plain.spec]) == pytest.approx(9.0)  # nothing better is known
    assert (costs.is_measured(pairs.spec), costs.is_measured(plain.spec)) == (True, False)
    assert costs.doubt(plain.spec) > 4
    costs.learn([plain.model_copy(update={"seconds": 1.0})])
    assert costs.trial_seconds([plain.spec]) == pytest.approx(1.0)
    assert costs.trial_seconds([pairs.spec]) == pytest.approx(9.0)


def test_cost_model_tells_preparation_and_fits_apart():
    costs, session = CostModel(search_spec().facts), ScriptedSession("lightgbm")
    first, later = (record(session.proposal(), seconds=seconds) for seconds in (7.0, 3.5))
    costs.learn([first.model_copy(update={"prepare_seconds": 4.0, "fit_seconds": 2.9})])
    assert costs.trial_seconds([later.spec]) == pytest.approx(4.0 + 3.0)
    costs.learn([later.model_copy(update={"prepare_seconds": 0.5, "fit_seconds": 2.9})])
    assert costs.trial_seconds([later.spec]) == pytest.approx(0.5 + 3.0)  # the matrices are there
    assert costs.trial_seconds([of_kind(later, "none").spec]) == pytest.approx(3.0)


def test_cost_model_counts_a_stopped_trial_up_to_its_score():
    costs, session = CostModel(search_spec().facts), ScriptedSession("lightgbm")
    stopped = record(session.proposal(), seconds=8.0)
    curve = stopped.curve.model_copy(update={"rungs": (1, 2, 4), "scores": (0.1, 0.2, 0.3)})
    update = {"state": "stopped", "prepare_seconds": 1.0, "fit_seconds": 2.0, "curve": curve}
    costs.learn([stopped.model_copy(update=update)])
    whole = CostModel(search_spec().facts)
    whole.learn([stopped.model_copy(update={"state": "stopped", "seconds": 2.0, "curve": curve})])
    assert costs.trial_seconds([stopped.spec]) - 1.0 == pytest.approx(whole.trial_seconds([stopped.spec]))
