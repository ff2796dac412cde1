"""Samplers by name."""

import re
from importlib.util import find_spec

import optuna
import pytest

from automl.errors import SettingError
from automl.families import load_space
from automl.study import make_pruner, make_sampler
from automl.study.pruners import PRUNERS
from automl.study.samplers import SAMPLERS
from tests.support import ROOT
from tests.support.studies import SPACE


def missing(name):
    package = SAMPLERS[name].package
    return package if package and find_spec(package) is None else ""


def drawn(make, n_trials=24):
    """Return the parameters of trials, each proposed by the sampler of a call of ``make``."""
    study = optuna.create_study(direction="maximize", sampler=make())
    for _ in range(n_trials):
        study.sampler = make()
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        extra = trial.suggest_int("extra", 1, 9) if kind == "a" else 0
        study.tell(trial, abs(x - 0.4) + extra / 10)
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "grid"])
def test_sampler_by_name_samples_or_names_missing_package(name):
    if package := missing(name):
        with pytest.raises(SettingError, match=f"needs the package {package}"):
            make_sampler(name, 0)
        return
    again = make_sampler(name, 3)
    # as if killed and resumed before every trial
    assert drawn(lambda: again) == drawn(lambda: make_sampler(name, 3))
    assert drawn(lambda: again) != drawn(lambda: make_sampler(name, 4))
    assert len({params["x"] for params in drawn(lambda: again)}) > 12


def test_tpe_is_multivariate_grouped_and_a_constant_liar():
    tpe = make_sampler("tpe", 0).inner
    assert (tpe._multivariate, tpe._group, tpe._constant_liar) == (True, True, True)


def test_make_sampler_and_pruner_have_defaults_and_pass_objects():
    assert isinstance(make_sampler(None, 0).inner, optuna.samplers.TPESampler)
    assert isinstance(make_pruner(None), optuna.pruners.MedianPruner)
    sampler, pruner = optuna.samplers.RandomSampler(0), optuna.pruners.NopPruner()
    assert make_sampler(sampler, 0) is sampler
    assert make_pruner(pruner) is pruner


@pytest.mark.parametrize(
    ("make", "name", "expected"),
    [
        (lambda name: make_sampler(name, 0), "tpee", 'must be a sampler of Optuna, .*"tpee". Did you mean "tpe"'),
        (make_pruner, "medain", 'must be a pruner of Optuna, .*"medain". Did you mean "median"'),
        (make_pruner, 3, 'got "3". Known: racing, median'),
        (make_pruner, "threshold", '"threshold" needs a number: the lowest score .*threshold:0.5'),
        (make_pruner, "patient:long", '"patient" needs a number: how many rungs'),
        (make_pruner, "percentile:200", "needs a number that is the share of trials.*between 0 and 100"),
        (make_pruner, "median:3", '"median" takes no number'),
        (lambda name: make_sampler(name, 0), "tpe:3", '"tpe" takes no number'),
        (lambda name: make_sampler(name, 0, load_space(SPACE)), "grid:2.5", "a whole number of values"),
    ],
)  # fmt: skip
def test_invalid_name_is_one_clear_error(make, name, expected):
    with pytest.raises(SettingError, match=expected):
        make(name)


def test_samplers_page_lists_every_name_and_default():
    page = (ROOT / "docs" / "samplers.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)", page, flags=re.MULTILINE))
    assert {*SAMPLERS, *PRUNERS} <= listed
    numbers = dict(re.findall(r"^\| `(\w+):[\d.]+` \|.*\| ([^|]+) \|$", page, flags=re.MULTILINE))
    for name, row in PRUNERS.items():
        if row.number:
            assert numbers[name] == ("must be given" if row.default is None else f"{row.default:g}")
