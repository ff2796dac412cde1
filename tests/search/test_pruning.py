"""The early-pruning guard."""

from automl.families import FAMILIES
from tests.support.scripted import (
    EPOCHS,
    ScriptedSession,
    ScriptedWorkers,
    at_rung,
    finished,
    loop,
)


def test_guard_respects_the_minimum_of_the_space():
    rungs, pruned = [], []

    def script(cohort):
        for rung in (1, 4, 8, 12, 16):
            rungs.append(rung)
            yield at_rung(cohort, rung, pruned)
        yield from finished(cohort)

    session = ScriptedSession(prune={0})
    fidelity = {"model.mlp.max_epochs": (1, EPOCHS), "model.linear.max_epochs": (3, EPOCHS)}
    loop(ScriptedWorkers(script), session, n_trials=1, epoch_steps=4, fidelity=fidelity).run()
    assert dict(zip(rungs, pruned, strict=True)) == {1: set(), 4: set(), 8: set(), 12: {0}, 16: {0}}
    assert [rung for rung, *_ in session.reports] == [1, 4, 8, 12, 16]  # the study keeps all reports


def test_guard_respects_the_minimum_of_the_family():
    pruned: list[set[int]] = []

    def script(cohort):
        for rung in (4, 8, 16):
            yield at_rung(cohort, rung, pruned)
        yield from finished(cohort)

    for family in ("linear", "decision_tree"):
        session = ScriptedSession(family, prune={0})
        loop(ScriptedWorkers(script), session, n_trials=1, shape=(9_000, 5, 3), epoch_steps=16).run()
    # An eighth of 64 steps is 8. Trees have no epochs, so no minimum.
    assert pruned == [set(), {0}, {0}, {0}, {0}, {0}]
    linear = FAMILIES["linear"]
    assert linear.min_resource({"max_epochs": 80}, 1, 6_000) == 10
    # the minimum in rows is reached in fewer epochs
    assert linear.min_resource({"max_epochs": 80}, 1, 100_000) == 3
    assert linear.min_resource({"max_epochs": 80}, 16, 100_000) == 3 * 16
