from __future__ import annotations

import numpy as np
import pytest

from automl.descent import SCHEDULES, Architecture, TrainConfig, Training

# factors at epochs 0, 5, 10 and 20 of 20, by hand
HAND = {
    "constant": ({}, [1, 1, 1, 1]),
    "exponential": ({"rate": 0.9}, [1, 0.9**5, 0.9**10, 0.9**20]),
    "step": ({"factor": 0.5, "every": 5}, [1, 0.5, 0.25, 0.0625]),
    "multi_step": ({"factor": 0.1, "milestones": [5, 12]}, [1, 0.1, 0.1, 0.01]),
    "inverse_time": ({"rate": 0.2}, [1, 1 / 2, 1 / 3, 1 / 5]),
    "linear": ({"final": 0.2}, [1, 0.8, 0.6, 0.2]),
    "polynomial": ({"power": 2}, [1, 9 / 16, 1 / 4, 0]),
    "cosine": ({"final": 0.0}, [1, 0.5 + 0.5 * np.sqrt(0.5), 0.5, 0]),
    "cosine_restarts": ({"period": 10, "growth": 1}, [1, 0.5, 1, 1]),
    # the first of two waves ends after a third
    "cosine_log": ({"cycles": 2}, [0, *(0.5 - 0.5 * np.cos(2 * np.pi * np.log2([1.75, 2.5]))), 0]),
    "one_cycle": ({"rise": 0.25, "start": 0.1, "final": 0.0}, [0.1, 1, 0.75, 0]),
    "plateau": ({}, [1, 1, 1, 1]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_hand_values(name):
    params, expected = HAND[name]
    row = SCHEDULES[name]
    t = np.array([0.0, 5, 10, 20])[:, None]
    with np.errstate(all="raise"):
        assert row.factor(t, np.array([20.0]), row.columns([params]))[:, 0] == pytest.approx(expected)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_trials_are_independent(name):
    row = SCHEDULES[name]
    given = [HAND[name][0], {}, HAND[name][0]]
    total = np.array([20.0, 7, 1])
    t = np.linspace(0, 40, 81)[:, None] * np.ones(3)
    with np.errstate(all="raise"):
        together = row.factor(t, total, row.columns(given))
        alone = [row.factor(t[:, i : i + 1], total[i : i + 1], row.columns([given[i]])) for i in range(3)]
    assert np.allclose(together, np.hstack(alone))
    assert together.min() >= 0
    assert together.max() <= 1 + 1e-12


def test_cosine_restarts_grow():
    row = SCHEDULES["cosine_restarts"]
    starts = np.array([0.0, 2, 6, 14])[:, None]
    columns = row.columns([{"period": 2, "growth": 2}])
    assert row.factor(starts, np.array([30.0]), columns)[:, 0] == pytest.approx([1, 1, 1, 1])
    assert row.factor(starts + 1.999, np.array([30.0]), columns)[0, 0] < 1e-3


def test_plateau_waits_then_reduces():
    row, levels = SCHEDULES["plateau"], []
    state, params = row.state, {"factor": 0.5, "patience": 1, "threshold": 0.01}
    for loss in [1.0, 0.9, 0.9, 0.895, 0.5, 0.5, 0.5]:
        state = row.observe(state, loss, params)
        levels.append(state[0])
    assert levels == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def rates(config: TrainConfig) -> list[float]:
    X = np.ones((20, 1), np.float32)
    training = Training(Architecture("squared"), [config], X, np.arange(20.0))
    training.advance(config.max_epochs)
    return list(training.history(0)[1])


def test_warmup_raises_the_rate_by_step():
    # 4 steps an epoch, 8 of warm-up: the last step of each epoch has 4/8, 8/8, then the schedule begins
    config = TrainConfig(learning_rate=0.1, warmup=2, batch_size=5, max_epochs=4, schedule="linear")
    assert rates(config) == pytest.approx([0.05, 0.1, 0.1 * (1 - 0.75 / 2), 0.1 * (1 - 1.75 / 2)])


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_rates_do_not_depend_on_chunks(size, monkeypatch):
    config = TrainConfig(learning_rate=0.1, warmup=1, batch_size=3, max_epochs=3, schedule="cosine")
    expected = rates(config)
    monkeypatch.setattr("automl.descent.batch_group._RATES", size)
    monkeypatch.setattr("automl.descent.data._GATHER_FLOATS", 12)
    assert rates(config) == expected


def test_plateau_reduces_the_rate_in_training():
    config = TrainConfig(
        learning_rate=0.1,
        batch_size="full",
        max_epochs=4,
        schedule="plateau",
        schedule_params={"patience": 0},
    )
    # the intercept starts at its optimum, and there is nothing else to learn
    assert rates(config) == pytest.approx([0.1, 0.1, 0.05, 0.025])
