"""Samplers and pruners without a state of their own."""

import optuna
from optuna.samplers import RandomSampler

from automl.study.stateless_sampler import StatelessPruner, StatelessSampler


def draw(sampler, number):
    study = optuna.create_study(sampler=sampler)
    study.add_trials([optuna.trial.create_trial(value=0.0)] * number)
    return study.ask().suggest_float("x", 0, 1)


def test_sampler_draws_by_seed_and_number():
    made = StatelessSampler(lambda seed, trial_seed: RandomSampler(trial_seed), seed=3)
    draws = [draw(made, number) for number in (0, 1, 0, 2, 1)]
    assert draws[0] == draws[2] != draws[1] == draws[4]
    other = StatelessSampler(lambda seed, trial_seed: RandomSampler(trial_seed), seed=4)
    assert draw(other, 0) != draws[0]


def test_pruner_is_called_on_a_copy():
    class Once(optuna.pruners.BasePruner):
        calls = 0

        def prune(self, study, trial):
            self.calls += 1
            return self.calls > 1

    pruner = StatelessPruner(Once())
    study = optuna.create_study(pruner=pruner)
    trial = study.ask()
    trial.report(1.0, 1)
    assert [trial.should_prune() for _ in range(3)] == [False] * 3
