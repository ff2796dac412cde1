"""Grids: their points, and searches over them."""

import optuna
import pytest

from automl.errors import SettingError
from automl.families import load_space, structural
from automl.study import make_sampler
from tests.support.sessions import SMALL, grid, search_all
from tests.support.studies import SPACE


def points(sampler):
    return [tuple(sorted(point.items())) for point in sampler.points]


def test_grid_covers_space_in_order_of_seed():
    space = load_space(SPACE)
    laid, again, other = (points(make_sampler("grid:2", seed, space)) for seed in (0, 0, 1))
    expected = [tuple(sorted(space.to_trial(one).items())) for one in space.grid(2)]
    assert laid == again != other
    assert sorted(laid, key=str) == sorted(other, key=str) == sorted(expected, key=str)
    assert len(laid) == len(set(laid)) > 10


def test_optuna_grid_gives_distinct_points_of_space():
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
def test_optuna_grid_outside_space_is_an_error(values, said):
    with pytest.raises(SettingError, match=f"a value of the space for every parameter.*{said}"):
        make_sampler(optuna.samplers.GridSampler(values), 0, load_space(SPACE))


def test_grid_with_too_many_points_is_an_error():
    with pytest.raises(SettingError, match="at most 20,000 points.*grid:2"):
        make_sampler("grid", 0, load_space("tabular"))


def test_grid_is_searched_completely_each_point_once(make_session, record):
    space = load_space(SMALL)
    session = make_session(SMALL, sampler=grid(SMALL, "grid:3"))
    expected = {str(space.params(one)) for one in space.grid(3)}
    found = []
    while cohort := session.propose(lambda leader: 2):
        shared = [{path: value for path, value in one.params.items() if structural(path)} for one in cohort]
        assert shared == [shared[0]] * len(cohort)
        for one in cohort:
            session.tell(record(one))
        found.append(cohort)
    params = [str(one.params) for cohort in found for one in cohort]
    assert len(params) == len(set(params))
    assert set(params) == expected
    assert max(map(len, found)) == 2


def test_grid_resumes_after_initial_points(make_session, record):
    started = {**SMALL, "enqueue": [{"model": "decision_tree", "decision_tree.max_depth": 2}]}
    first = make_session(started, sampler=grid(started))
    (start,) = first.propose(lambda leader: 1)
    assert start.configuration["model"] == {"decision_tree": {"max_depth": 2}}
    done = [start, *first.propose(lambda leader: 2)]
    for one in done:
        first.tell(record(one))
    second = make_session(started, sampler=grid(started), resume=True)
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


def test_optuna_grid_is_searched_completely(make_session, record):
    sampler = optuna.samplers.GridSampler(
        {
            "model": ["linear", "decision_tree"],
            "model.linear.learning_rate": [0.02, 0.08],
            "model.linear.loss": ["logistic", "hinge"],
            "model.decision_tree.max_depth": [1, 2],
        }
    )
    session = make_session(SMALL, sampler=make_sampler(sampler, 0, load_space(SMALL)))
    found = search_all(session, record, 10)
    assert len({str(one.params) for one in found}) == len(found) == 3 + 2
    assert session.propose(lambda leader: 1) == ()
