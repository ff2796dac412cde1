"""Selection of the trials that samplers and pruners see."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers._tpe.sampler import _split_trials
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from automl.study.history import History

UP = [StudyDirection.MAXIMIZE]


FAMILIES = CategoricalDistribution(["linear", "linear (2)", "mlp"])


def trial(number, value, state=TrialState.COMPLETE, family="linear", **more):
    made = create_trial(
        state=state,
        values=(value if isinstance(value, list) else [value]) if state == TrialState.COMPLETE else None,
        params={"x": number / 10_000, "model": family},
        distributions={"x": FloatDistribution(0, 1), "model": FAMILIES},
        **more,
    )
    made.number = number
    return made


def value(number):
    """Return a value that rises and falls with the number, none twice."""
    return number * 7919 % 10_007 / 10_007


def history(trials, directions=UP, seed=0):
    known = History(seed, directions)
    for one in trials:
        known.add(one)
    return known


def numbers(trials):
    return [one.number for one in trials]


def test_history_shows_all_of_short_study():
    trials = [trial(number, value(number)) for number in range(250)]
    assert history(trials).for_sampler() == trials
    assert history(trials[:200]).for_pruner("linear") == trials[:200]


def test_history_shows_best_newest_and_sample_of_long_study():
    trials = [trial(number, value(number)) for number in range(5_000)]
    shown = numbers(history(trials).for_sampler())
    assert shown == sorted(set(shown))
    assert len(shown) == 250
    best = sorted(range(5_000), key=value, reverse=True)[:25]
    assert {*best, *range(4_925, 5_000)} <= set(shown)
    others = [number for number in shown if number not in best and number < 4_925]
    assert 2_100 < sum(others) / len(others) < 2_800
    assert len(numbers(history(trials).for_pruner("linear"))) in (250, 251)


def test_tpe_finds_same_good_trials_in_subset():
    study = optuna.create_study(direction="maximize")
    trials = []
    for number in range(2_000):
        kind = number % 5
        if kind == 4:
            trials.append(trial(number, None, TrialState.FAIL))
        elif kind >= 2 or number < 1_990:
            steps = {1: value(number), 2 + kind: value(number + 1)} if number % 7 else {}
            trials.append(trial(number, None, TrialState.PRUNED, intermediate_values=steps))
        else:
            trials.append(trial(number, value(number)))
    ended = [one for one in trials if one.state != TrialState.FAIL]
    whole, _ = _split_trials(study, ended, 25)
    part, _ = _split_trials(study, history(trials).for_sampler(), 25)
    assert numbers(part) == numbers(whole)


def test_history_ranks_violated_constraints_last():
    fine = [trial(number, value(number)) for number in range(400)]
    broken = [trial(400 + number, 2.0, constraints={"bytes": 1.0 + number}) for number in range(400)]
    shown = set(numbers(history([*broken, *fine]).for_sampler()))
    best = sorted(range(400), key=value, reverse=True)[:25]
    assert set(best) <= shown


def test_history_shows_best_by_each_objective():
    ways = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    trials = [trial(number, [value(number), value(number + 3)]) for number in range(2_000)]
    shown = set(numbers(history(trials, ways).for_sampler()))
    assert set(sorted(range(2_000), key=value, reverse=True)[:12]) <= shown
    assert set(sorted(range(2_000), key=lambda number: value(number + 3))[:12]) <= shown


def test_history_for_sampler_prefers_own_family():
    def of(is_mlp):
        names = ("linear", "linear (2)")
        return history(
            [
                trial(number, value(number), family="mlp" if is_mlp(number) else names[number % 2])
                for number in range(1_000)
            ]
        )

    known = of(lambda number: number < 9 or number >= 700)
    assert set(numbers(known.for_sampler("mlp"))) <= {*range(9), *range(700, 1_000)}
    assert set(numbers(known.for_sampler("linear"))) <= set(range(9, 700))
    assert len(known.for_sampler("linear")) == 250
    few = of(lambda number: number < 9)
    assert few.for_sampler("mlp") == few.for_sampler() != few.for_sampler("linear")
    assert few.for_sampler("unheard of") == few.for_sampler()


def test_history_for_leader_shows_best_of_cohort():
    def member(number, leader, value, state=TrialState.COMPLETE):
        mark = {"size": 3} if number == leader else {"leader": leader}
        return trial(number, value, state, user_attrs={"cohort": mark})

    known = history(
        [
            *(member(number, 0, value) for number, value in enumerate((0.2, 0.9, 0.4))),
            *(member(number, 3, value) for number, value in ((3, 0.8), (4, 0.1))),
            member(5, 5, None, TrialState.RUNNING),
            member(6, 5, None, TrialState.RUNNING),
        ]
    )
    assert numbers(known.for_sampler(leaders=True)) == [1, 3, 5]
    assert numbers(known.for_sampler()) == list(range(7))
    many = history([member(number, number // 4 * 4, value(number)) for number in range(2_000)])
    leads = numbers(many.for_sampler(leaders=True))
    assert len(leads) == len({number // 4 for number in leads}) == 250
    best = [max(range(first, first + 4), key=value) for first in range(0, 2_000, 4)]
    assert set(sorted(best, key=value)[-25:]) | set(best[-75:]) <= set(leads) <= set(best)


def test_history_shows_running_trials_as_proposed():
    at_work = trial(3, None, TrialState.RUNNING, intermediate_values={1: 0.9})
    ended = [trial(number, value(number)) for number in range(3)]
    known = History(0, UP)
    known.update([*ended, at_work])
    assert known.n_known == 4
    *before, last = known.for_sampler()
    assert before == ended
    assert (last.number, last.state, last.params) == (3, TrialState.RUNNING, at_work.params)
    assert last.intermediate_values == {}
    assert known.for_pruner("linear") == ended
    ended_later = trial(3, 0.5)
    known.update([*ended, ended_later, trial(4, None, TrialState.FAIL)])
    assert known.for_sampler() == known.for_pruner("linear") == [*ended, ended_later]
    assert known.n_known == 5


@pytest.mark.parametrize("part", ["for_sampler", "for_pruner"])
def test_history_depends_on_seed_not_on_order(part):
    trials = [trial(number, value(number)) for number in range(1_000)]
    known = getattr(history(trials), part)("linear")
    assert getattr(history(reversed(trials)), part)("linear") == known
    assert getattr(history([*trials, *trials]), part)("linear") == known
    assert getattr(history(trials, seed=1), part)("linear") != known


def test_history_for_pruner_samples_each_state():
    trials = [trial(number, value(number)) for number in range(0, 4_000, 2)]
    trials += [
        trial(number, None, TrialState.PRUNED, intermediate_values={1: 0.5}) for number in range(1, 101, 2)
    ]
    seen = history(trials).for_pruner("linear")
    assert [one.state for one in seen].count(TrialState.PRUNED) == 50
    assert history(trials).for_pruner("mlp") == []
    assert len(seen) in (300, 301)  # the best, if it was not drawn
    early = history(trials).for_pruner("linear", below=600)
    assert max(numbers(early)) < 600
    assert len(early) in (300, 301)
    assert max(early, key=lambda one: one.value or 0).number == max(range(0, 600, 2), key=value)
    assert early == history([one for one in trials if one.number < 600]).for_pruner("linear")
