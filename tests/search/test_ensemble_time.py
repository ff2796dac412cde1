"""Time reserved for an ensemble, and members dropped when time is short."""

import pytest

from automl.records import Curve, TrialRecord
from tests.support.scripted import Clock, ScriptedWorkers, admission, finished

END = 1.5 + 3.0  # seconds for the model, and for the report of a search of a minute or more


def record(number, score, family="linear", seconds=4.0):
    params = {"max_epochs": 4} if family in ("linear", "mlp") else {}
    return TrialRecord(
        number=number, configuration={"model": {family: params}}, params={}, seed=0, state="complete",
        family=family, score=score, seconds=seconds, curve=Curve(rungs=(4,), scores=(score,)),
    )  # fmt: skip


def ended(decides, *records):
    for one in records:
        decides.costs.learn([one])
        decides.ended(one)


@pytest.fixture
def decides():
    def made(**spec):
        spec = {"timeout": 100.0, "refit": True, "shape": (1000, 5, 3), **spec}
        return admission(ScriptedWorkers(finished), clock=made.clock, **spec)

    made.clock = Clock()
    return made


def test_admission_reserves_refits_of_the_other_families(decides):
    alone, both, without = decides(), decides(), decides(ensemble=False)
    for one in (alone, both, without):
        ended(one, record(0, 0.9), record(1, 0.8))
    before = both.time_left
    assert alone.time_left == before < without.time_left
    for one in (both, without):
        ended(one, record(2, 0.7, "decision_tree"))
    refit = both.costs.refit_seconds(record(2, 0.7, "decision_tree"))
    assert before - both.time_left == pytest.approx(refit)


def test_admission_reserves_refits_of_the_best_two_other_families(decides):
    one = decides()
    families = ("decision_tree", "extra_trees", "random_forest", "mlp")
    ended(one, record(0, 0.9))
    before = one.time_left
    ended(one, *(record(n, 0.8 - 0.1 * n, family, 4.0 * n) for n, family in enumerate(families, 1)))
    two = [one.costs.refit_seconds(record(n, 0.5, families[n - 1], 4.0 * n)) for n in (1, 2)]
    assert before - one.time_left == pytest.approx(sum(two))


def test_admission_reserves_at_most_a_tenth_of_the_timeout_for_other_members(decides):
    one = decides()
    ended(one, record(0, 0.9))
    before = one.time_left
    ended(one, record(1, 0.8, "decision_tree", seconds=500.0))
    assert before - one.time_left == pytest.approx(10.0)


@pytest.mark.parametrize(("shape", "beside"), [((1000, 5, 3), True), ((1000, 30_000, 3), False)])
def test_admission_reserves_less_where_fits_are_side_by_side(shape, beside):
    spec = {"timeout": 1000.0, "refit": True, "shape": shape}
    one = admission(ScriptedWorkers(finished, slots=2), clock=Clock(), **spec)
    ended(one, record(0, 0.9))
    before = one.time_left
    ended(one, record(1, 0.8, "decision_tree", seconds=6.0))
    best, other = (
        one.costs.refit_seconds(each) for each in (record(0, 0.9), record(1, 0.8, "decision_tree", 6.0))
    )
    assert one.fits_beside == beside
    selection = 0.6 * 1000 / 30_000
    whole = max(selection + other, (best + selection + other) / 2) if beside else best + other
    assert before - one.time_left == pytest.approx(max(0.0, whole - best))


class ClusterWorkers(ScriptedWorkers):
    n_fits = None  # of this machine, whatever the nodes have


@pytest.mark.parametrize("n_fits", [1, 2])
def test_admission_reserves_fits_of_this_machine_beside_a_cluster(n_fits):
    cluster = ClusterWorkers(finished, slots=64)
    cluster.n_fits = n_fits
    spec = {"timeout": 1000.0, "refit": True, "shape": (50_000, 5, 3)}
    one, here = (
        admission(each, clock=Clock(), **spec) for each in (cluster, ScriptedWorkers(finished, slots=n_fits))
    )
    for admits in (one, here):
        ended(admits, record(0, 0.9), record(1, 0.8, "decision_tree", 6.0), record(2, 0.7, "mlp", 6.0))
    assert one.time_left == here.time_left
    assert one.fits_beside == here.fits_beside == (n_fits > 1)


def test_admission_reserves_no_time_for_a_selection_beside_the_refit():
    spec = {"timeout": 1000.0, "refit": True, "shape": (50_000, 5, 3)}
    two, one = (admission(ScriptedWorkers(finished, slots=n), clock=Clock(), **spec) for n in (2, 1))
    for admits in (two, one):
        ended(admits, record(0, 0.9))
    assert two.time_left - one.time_left == pytest.approx(0.6)


@pytest.mark.parametrize("more", [{"shape": (400, 5, 3)}, {"ensemble": False}, {"refit": False}])
def test_admission_reserves_nothing_where_there_is_no_ensemble(decides, more):
    one = decides(**more)
    ended(one, record(0, 0.9))
    before = one.time_left
    ended(one, record(1, 0.8, "decision_tree"))
    assert one.time_left == before


def test_refit_in_time_leaves_time_for_the_end_of_the_search(decides):
    one = decides()
    ended(one, record(0, 0.9))
    seconds = one.costs.refit_seconds(record(0, 0.9))
    decides.clock.now = 100 - END - 1.31 * seconds
    assert one.refit_in_time(record(0, 0.9))
    decides.clock.now = 100 - END - 1.29 * seconds
    assert not one.refit_in_time(record(0, 0.9))
    decides.clock.now = 100 - END - 4 * 1.31 * seconds
    assert one.refit_in_time(record(0, 0.9), 4)
    assert not one.refit_in_time(record(0, 0.9), 5)


def test_refit_in_time_learns_the_time_beside_the_training(decides):
    one = decides()
    ended(one, record(0, 0.9))
    seconds = one.costs.refit_seconds(record(0, 0.9))
    with one.refitting(record(0, 0.9)):
        decides.clock.now += seconds + 20
    decides.clock.now = 100 - END - 1.31 * seconds - 19
    assert not one.refit_in_time(record(0, 0.9))
    decides.clock.now -= 1
    assert one.refit_in_time(record(0, 0.9))


def test_refit_in_time_without_a_timeout(decides):
    one = decides(timeout=None, n_trials=5)
    ended(one, record(0, 0.9))
    assert one.refit_in_time(record(0, 0.9))
