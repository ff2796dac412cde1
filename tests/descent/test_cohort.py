from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.descent import (
    ACTIVATIONS,
    LOSSES,
    NORMALIZATIONS,
    OPTIMIZERS,
    SCHEDULES,
    Architecture,
    TrainConfig,
    Training,
    batch_group,
    data,
    model,
    runners,
)
from automl.descent.optimizers import Optimizer
from automl.descent.records import Failure
from automl.descent.schedules import Schedule
from tests.support.tables import loss_table

pytestmark = pytest.mark.usefixtures("backend")

N, EPOCHS = 60, 20


# values of the parameters of optimizers and schedules, by name
VALUES = {
    "momentum": [0.0, 0.5, 0.95],
    "nesterov": [False, True],
    "decay": [0.5, 0.99],
    "beta1": [0.0, 0.5, 0.95],
    "beta2": [0.9, 0.999],
    "epsilon": [1e-6, 1e-3],
    "weight_decay": [0.0, 0.3],
    "rate": [0.5, 0.95],
    "factor": [0.3, 0.9],
    "every": [1, 3],
    "milestones": [[2], [1, 3.5, 7]],
    "final": [0.0, 0.3],
    "power": [0.5, 3.0],
    "period": [2.5, 4],
    "growth": [1, 1.5],
    "rise": [0.2, 0.6],
    "start": [0.0, 0.3],
    "patience": [0, 2],
    "threshold": [1e-3, 0.1],
    "cycles": [1, 4],
}


def kinds(name: str, rows: Mapping[str, Optimizer | Schedule]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a config's choice of a row of a table, with some of its parameters."""

    def fields(kind: str) -> st.SearchStrategy[dict[str, Any]]:
        optional = {own: st.sampled_from(VALUES[own]) for own in rows[kind].parameters}
        return st.fixed_dictionaries({}, optional=optional).map(
            lambda own: {name: kind, f"{name}_params": own}
        )

    return st.sampled_from(sorted(rows)).flatmap(fields)


configs = st.builds(
    lambda optimizer, schedule, **rest: TrainConfig(**optimizer, **schedule, **rest),
    optimizer=kinds("optimizer", OPTIMIZERS),
    schedule=kinds("schedule", SCHEDULES),
    learning_rate=st.sampled_from([0.003, 0.01]),
    warmup=st.sampled_from([0.0, 1.5]),
    batch_size=st.sampled_from([1, 7, 16, N, "full"]),
    max_epochs=st.sampled_from([5, EPOCHS]),
    l1=st.sampled_from([0.0, 0.01]),
    l2=st.sampled_from([0.0, 0.1]),
    weight_decay=st.sampled_from([0.0, 0.1]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    dropout=st.sampled_from([0.0, 0.3]),
    clip_norm=st.sampled_from([None, 0.5]),
    label_smoothing=st.sampled_from([0.0, 0.1]),
    average=st.sampled_from([0.0, 0.25]),
    seed=st.integers(0, 3),
).filter(
    # the first full gradient of the intercept is zero except for rounding, and Lion steps by its sign
    lambda config: config.optimizer != "lion" or config.batch_size not in (N, "full")
)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    loss=st.sampled_from(sorted(LOSSES)),
    hidden=st.sampled_from([(), (5,), (4, 3)]),
    normalization=st.sampled_from([None, *NORMALIZATIONS]),
    cohort=st.lists(configs, min_size=2, max_size=5),
    drops=st.lists(st.tuples(st.integers(1, EPOCHS - 1), st.integers(0, 4)), max_size=3),
)
def test_cohort_trial_equals_the_trial_alone(loss, hidden, normalization, cohort, drops):
    X, y, c = loss_table(loss)
    architecture = Architecture(loss, hidden, normalization)
    together = Training(architecture, cohort, X, y, n_outputs=c)
    for epoch, position in sorted(drops):
        together.advance(epoch)
        together.select(together.trials != position)
    together.advance(EPOCHS)
    outputs = together.decision(X)
    for i, config in enumerate(cohort):
        alone = Training(architecture, [config], X, y, n_outputs=c)
        alone.advance(EPOCHS)
        losses, rates = together.history(i)
        # the last loss of a diverging trial is NaN in both
        assert np.allclose(losses, alone.history(0)[0][: len(losses)], rtol=1e-4, atol=1e-6, equal_nan=True)
        assert rates == alone.history(0)[1][: len(rates)]
        if i in together.trials:
            assert len(losses) == config.max_epochs
            mine = outputs[np.flatnonzero(together.trials == i)[0]]
            # where a gradient is zero, Adam turns rounding errors into whole steps
            assert np.allclose(mine, alone.decision(X)[0], atol=0.03)


@pytest.mark.parametrize("batch_size", [1, 7, "full"])
@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
def test_cohort_of_networks_equals_single_bit_by_bit(loss, normalization, batch_size):
    X, y, c = loss_table(loss)
    architecture, activations = Architecture(loss, (4, 3), normalization), list(ACTIVATIONS)
    cohort = [
        TrainConfig(
            kind,
            learning_rate=0.01,
            schedule="cosine",
            batch_size=batch_size,
            max_epochs=4,
            l1=0.01 * (i % 2),
            activation=activations[i % len(activations)],
            dropout=0.2 * (i % 3),
            clip_norm=0.5 if i % 2 else None,
            average=0.5 * (i % 2),
            seed=i,
        )
        for i, kind in enumerate(OPTIMIZERS)
    ]
    together = Training(architecture, cohort, X, y, n_outputs=c)
    together.advance(4)
    for i, config in enumerate(cohort):
        alone = Training(architecture, [config], X, y, n_outputs=c)
        alone.advance(4)
        assert np.array_equal(together.theta(i), alone.theta(0))
        assert np.allclose(together.history(i)[0], alone.history(0)[0], rtol=1e-6, atol=0)


@settings(max_examples=40, deadline=None)
@given(
    loss=st.sampled_from(sorted(LOSSES)),
    hidden=st.sampled_from([(), (5,)]),
    normalization=st.sampled_from([None, *NORMALIZATIONS]),
    cohort=st.lists(configs, min_size=1, max_size=4),
    pauses=st.lists(st.floats(0, 2), max_size=5),
    chunk=st.sampled_from([1, 20, 1 << 18]),
)
def test_pause_changes_no_bit(loss, hidden, normalization, cohort, pauses, chunk):
    X, y, c = loss_table(loss)
    architecture = Architecture(loss, hidden, normalization=normalization)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_GATHER_FLOATS", chunk)
        paused = Training(architecture, cohort, X, y, n_outputs=c)
        for epoch in sorted(pauses):
            paused.advance(epoch)
            paused.decision(X)
        paused.advance(3)
    whole = Training(architecture, cohort, X, y, n_outputs=c)
    whole.advance(3)
    assert paused.trials.tolist() == whole.trials.tolist()
    assert np.array_equal(paused.decision(X), whole.decision(X))
    assert [paused.history(i) for i in whole.trials] == [whole.history(i) for i in whole.trials]


def test_dropping_trials_in_a_pause_changes_no_other():
    X, y, _ = loss_table("logistic")
    cohort = [
        TrainConfig(batch_size=size, dropout=0.1 * i, schedule=schedule, warmup=1.5, seed=i)
        for i, (size, schedule) in enumerate([(7, "cosine"), (7, "plateau"), (16, "linear"), (7, "cosine")])
    ]
    together = Training(Architecture("logistic", (6,)), cohort, X, y)
    together.advance(0.5)
    together.select(np.array([True, False, True, True]))
    together.advance(1.25)
    together.select(np.array([False, True, True]))
    together.advance(EPOCHS)
    for i in (2, 3):
        alone = Training(Architecture("logistic", (6,)), [cohort[i]], X, y)
        alone.advance(EPOCHS)
        assert np.allclose(together.theta(i), alone.theta(0), rtol=1e-4, atol=1e-5)
        assert np.allclose(together.history(i), alone.history(0), rtol=1e-4)


def test_pause_trains_whole_batches():
    X, y, _ = loss_table("squared")
    cohort = [TrainConfig(batch_size=size, learning_rate=0.1) for size in (1, 7, 16, "full")]
    training = Training(Architecture("squared"), cohort, X, y)
    before = [training.theta(i) for i in range(4)]
    training.advance(0.25)  # 15 rows of 60
    assert (training.epoch, training.part, training.updated.tolist()) == (0, 0.25, [True, True, False, False])
    assert [np.array_equal(training.theta(i), before[i]) for i in range(4)] == [False, False, True, True]
    assert training.history(0) == ((), ())
    training.advance(1)
    assert (training.epoch, training.part, training.updated.all()) == (1, 0.0, True)


@pytest.mark.overflows("a trial diverges")
def test_pause_detects_divergence():
    X, y, _ = loss_table("squared")
    cohort = [TrainConfig(batch_size=1, optimizer="sgd", learning_rate=rate) for rate in (1e30, 0.01)]
    training = Training(Architecture("squared"), cohort, X, y)
    training.advance(0.5)
    assert training.trials.tolist() == [1]
    assert training.failures == {0: Failure("loss or weights are not finite", 1)}


def test_dropout_is_the_same_in_chunked_batches(monkeypatch):
    for module in (data, batch_group, runners):
        monkeypatch.setattr(module, "CHUNK_ROWS", 16)
    X, y, _ = loss_table("logistic")
    configs = [
        TrainConfig(batch_size=40, activation=kind, dropout=rate, max_epochs=4, seed=i)
        for i, (kind, rate) in enumerate([("relu", 0.5), ("tanh", 0.0), ("tanh", 0.3), ("relu", 0.2)])
    ]
    together = Training(Architecture("logistic", (6, 5)), configs, X, y)
    together.advance(1)
    asked = iter([False, False, True])
    together.advance(2, stop=lambda: next(asked))
    assert together.epoch == 1
    together.select(np.array([False, True, True, True]))
    together.advance(4)
    plain = Training(Architecture("logistic", (6, 5)), [replace(configs[2], dropout=0.0)], X, y)
    plain.advance(4)
    assert not np.allclose(plain.theta(0), together.theta(2))
    for i in (1, 2, 3):
        alone = Training(Architecture("logistic", (6, 5)), [configs[i]], X, y)
        alone.advance(4)
        assert np.array_equal(together.theta(i), alone.theta(0))


@settings(max_examples=15, deadline=None)
@given(
    loss=st.sampled_from(["squared", "softmax"]),
    hidden=st.sampled_from([(), (4,)]),
    normalization=st.sampled_from([None, *NORMALIZATIONS]),
    cohort=st.lists(configs, min_size=1, max_size=3),
    epoch=st.integers(1, EPOCHS - 1),
)
def test_snapshot_continues_training(loss, hidden, normalization, cohort, epoch):
    X, y, c = loss_table(loss)
    architecture = Architecture(loss, hidden, normalization)
    first = Training(architecture, cohort, X, y, n_outputs=c)
    first.advance(epoch)
    taken = [first.snapshot(i) for i in range(len(cohort))]
    second = Training(architecture, cohort, X, y, n_outputs=c, resume=taken, epoch=epoch)
    for training in (first, second):
        training.advance(EPOCHS)
    assert np.array_equal(second.decision(X), first.decision(X))
    for i in range(len(cohort)):
        assert first.history(i)[0][epoch:] == second.history(i)[0]
        assert first.history(i)[1][epoch:] == second.history(i)[1]


@pytest.mark.parametrize("normalization", [None, "batch"])
def test_trials_per_pass_changes_nothing(normalization, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 3, 50)
    configs = [
        TrainConfig(batch_size=16, dropout=0.1 * i, label_smoothing=0.05 * i, max_epochs=3, seed=i)
        for i in range(5)
    ]
    found = []
    for floats in (1, 2 * 16 * 12 * 2, 1 << 17):
        monkeypatch.setattr(model, "_CACHED_FLOATS", floats)
        architecture = Architecture("softmax", (7, 5), normalization=normalization)
        training = Training(architecture, configs, X, y, n_outputs=3)
        training.advance(2)
        training.select(np.array([True, False, True, True, True]))
        training.advance(3)
        found.append([training.theta(i) for i in training.trials])
    assert np.allclose(found[0], found[2], rtol=1e-4, atol=1e-6)
    assert np.allclose(found[1], found[2], rtol=1e-4, atol=1e-6)
