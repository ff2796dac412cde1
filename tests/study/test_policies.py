from importlib.util import find_spec

import optuna
import pytest

from automl.errors import SettingError
from automl.study import make_pruner, make_sampler
from automl.study.policies import PRUNERS, SAMPLERS


def missing(name):
    package = SAMPLERS[name][1]
    return package if package and find_spec(package) is None else ""


def drawn(make, n_trials=24):
    """Return what is proposed, by a sampler that ``make`` makes or keeps, before each trial."""
    study = optuna.create_study(direction="maximize", sampler=make())
    for _ in range(n_trials):
        study.sampler = make()
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        extra = trial.suggest_int("extra", 1, 9) if kind == "a" else 0
        study.tell(trial, x + extra / 10)
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_by_name_samples_or_says_what_is_missing(name):
    if package := missing(name):
        with pytest.raises(SettingError, match=f"needs the package {package}"):
            make_sampler(name, 0)
        return
    again = make_sampler(name, 3)
    # killed before every trial, and resumed
    assert drawn(lambda: again) == drawn(lambda: make_sampler(name, 3))
    assert drawn(lambda: again) != drawn(lambda: make_sampler(name, 4))
    assert len({params["x"] for params in drawn(lambda: again)}) > 12


@pytest.mark.parametrize("name", PRUNERS)
def test_a_pruner_by_name_prunes(name):
    study = optuna.create_study(direction="maximize", pruner=make_pruner(name))
    for _ in range(10):
        trial = study.ask()
        for step in (1, 2, 3):
            trial.report(0.9, step)
            trial.should_prune()
        study.tell(trial, 0.9)
    bad = study.ask()
    pruned = []
    for step in range(1, 28):
        bad.report(0.1, step)
        pruned.append(bad.should_prune())
    assert any(pruned) == (name != "none")


def test_nothing_named_is_the_default_and_objects_pass():
    assert isinstance(make_sampler(None, 0).made, optuna.samplers.TPESampler)
    assert isinstance(make_pruner(None), optuna.pruners.MedianPruner)
    sampler, pruner = optuna.samplers.RandomSampler(0), optuna.pruners.NopPruner()
    assert make_sampler(sampler, 0) is sampler
    assert make_pruner(pruner) is pruner


@pytest.mark.parametrize(
    ("make", "name", "expected"),
    [
        (lambda name: make_sampler(name, 0), "tpee", 'must be a sampler of Optuna, .*"tpee". Did you mean "tpe"'),
        (make_pruner, "medain", 'must be a pruner of Optuna, .*"medain". Did you mean "median"'),
        (make_pruner, 3, 'got "3". Known: median, percentile'),
    ],
)  # fmt: skip
def test_unknown_names_offer_the_nearest(make, name, expected):
    with pytest.raises(SettingError, match=expected):
        make(name)
