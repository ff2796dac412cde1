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
    """Return what is proposed, by a sampler that ``make`` makes or keeps, before each trial."""
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


@pytest.mark.parametrize("name", ["threshold:0.5" if name == "threshold" else name for name in PRUNERS])
def test_a_pruner_by_name_prunes(name):
    study = optuna.create_study(study_name="s", direction="maximize", pruner=make_pruner(name))
    for _ in range(10):
        trial = study.ask()
        for step in range(1, 12):
            trial.report(0.9 + step / 1000, step)
            trial.should_prune()
        study.tell(trial, 0.9)
    bad = study.ask()
    pruned = []
    for step in range(1, 12):
        bad.report(0.1 - step / 1000, step)
        pruned.append(bad.should_prune())
    assert any(pruned) == (name != "none")


def test_hyperband_judges_by_what_it_is_shown_whoever_asked_before():
    pruner = make_pruner("hyperband")
    study = optuna.create_study(study_name="always", direction="maximize", pruner=pruner)
    for last in (9, 81):
        for _ in range(20):
            trial = study.ask()
            for step in (1, 3, 9, 27, 81):
                if step <= last:
                    trial.report(0.9, step)
                    trial.should_prune()
            study.tell(trial, 0.9)
        trial = study.ask()
        trial.report(0.1, 1)
        frozen = study.get_trials(deepcopy=False)[-1]
        assert pruner.prune(study, frozen) == optuna.pruners.HyperbandPruner().prune(study, frozen)
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def test_a_number_may_follow_the_name():
    few, many = (make_pruner(f"percentile:{share}") for share in (10, 90))
    study = optuna.create_study(direction="maximize")
    for value in range(11):
        trial = study.ask()
        for step in (1, 2):
            trial.report(value, step)
        study.tell(trial, value)
    trial = study.ask()
    for step in (1, 2):
        trial.report(5, step)
    frozen = study.get_trials()[-1]
    assert (few.prune(study, frozen), many.prune(study, frozen)) == (True, False)


def points(sampler):
    return [tuple(sorted(point.items())) for point in sampler.points]


def test_a_grid_is_laid_over_the_space_and_shuffled_by_the_seed():
    space = load_space(SPACE)
    laid, again, other = (points(make_sampler("grid:2", seed, space)) for seed in (0, 0, 1))
    expected = [tuple(sorted(space.to_trial(one).items())) for one in space.grid(2)]
    assert laid == again != other
    assert sorted(laid, key=str) == sorted(other, key=str) == sorted(expected, key=str)
    assert len(laid) == len(set(laid)) > 10


def test_a_grid_of_optuna_gives_the_points_that_the_space_can_tell_apart():
    space = load_space(SPACE)
    values = {
        "preprocess.numeric.scale": ["standard"],
        "model": ["linear", "decision_tree"],
        "model.linear.learning_rate": [0.01, 0.2],
        "model.linear.l1": [0],
        "model.linear.loss": ["logistic", "hinge"],
        "model.decision_tree.max_depth": [2, 3, 4],
    }
    laid = make_sampler(optuna.samplers.GridSampler(values), 0, space).points
    # hinge is forbidden with a large learning rate; a tree asks for its depth and the preprocessing alone
    assert len(laid) == 3 + 3
    assert sorted(point["model.decision_tree.max_depth"] for point in laid if len(point) == 3) == [2, 3, 4]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": ["mlp"], "preprocess.numeric.scale": ["standard"]}, "hidden_layer_sizes"),
        (
            {"model": ["decision_tree"], "preprocess.numeric.scale": ["none"],
             "model.decision_tree.max_depth": [2]},
            "'none'",
        ),
        (
            {"model": ["decision_tree"], "preprocess.numeric.scale": ["robust"],
             "model.decision_tree.max_depth": [2, 30]},
            "30 .* out of the range",
        ),
    ],
)  # fmt: skip
def test_a_grid_of_optuna_that_does_not_fit_the_space_is_refused(values, said):
    with pytest.raises(SettingError, match=f"a value of the space for every parameter.*{said}"):
        make_sampler(optuna.samplers.GridSampler(values), 0, load_space(SPACE))


def test_a_grid_that_nobody_could_search_is_refused():
    with pytest.raises(SettingError, match="at most 20,000 points.*grid:2"):
        make_sampler("grid", 0, load_space("tabular"))


def test_tpe_models_the_parameters_of_a_branch_together_and_keeps_away_from_what_is_at_work():
    tpe = make_sampler("tpe", 0).inner
    assert (tpe._multivariate, tpe._group, tpe._constant_liar) == (True, True, True)


def test_nothing_named_is_the_default_and_objects_pass():
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
        (make_pruner, 3, 'got "3". Known: median, percentile'),
        (make_pruner, "threshold", '"threshold" needs a number: the lowest score .*threshold:0.5'),
        (make_pruner, "patient:long", '"patient" needs a number: how many rungs'),
        (make_pruner, "percentile:200", "needs a number that is the share of trials.*between 0 and 100"),
        (make_pruner, "median:3", '"median" takes no number'),
        (lambda name: make_sampler(name, 0), "tpe:3", '"tpe" takes no number'),
        (lambda name: make_sampler(name, 0, load_space(SPACE)), "grid:2.5", "a whole number of values"),
    ],
)  # fmt: skip
def test_a_name_that_says_nothing_is_one_clear_error(make, name, expected):
    with pytest.raises(SettingError, match=expected):
        make(name)


def test_samplers_page_lists_every_name_and_default():
    page = (ROOT / "docs" / "samplers.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `(\w+)", page, flags=re.MULTILINE))
    assert {*SAMPLERS, *PRUNERS} <= told
    numbers = dict(re.findall(r"^\| `(\w+):[\d.]+` \|.*\| ([^|]+) \|$", page, flags=re.MULTILINE))
    for name, row in PRUNERS.items():
        if row.number:
            assert numbers[name] == ("must be given" if row.default is None else f"{row.default:g}")
