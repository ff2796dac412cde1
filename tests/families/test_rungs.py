import pytest

from automl.families import (
    FAMILIES,
    epoch_steps,
    rung_levels,
)
from automl.families.boosting import BoostingFamily


@pytest.mark.parametrize("last", [1, 2, 7, 20, 1000])
def test_rung_levels_are_geometric(last):
    rungs = sorted(rung_levels(last))
    assert rungs[0] == 1
    assert rungs[-1] <= last
    assert set(rungs) == {rung for rung in rung_levels(5000) if rung <= last}
    assert all(b == 2 * a for a, b in zip(rungs, rungs[1:], strict=False))
    assert last / rungs[-1] < 2


@pytest.mark.parametrize("n_rows", [10, 9_999, 10_000, 79_999, 80_000, 261_876, 10**6])
def test_epoch_steps_are_powers_of_two(n_rows):
    steps = epoch_steps(n_rows)
    assert steps == 2 ** (steps.bit_length() - 1)
    assert (steps == 1) == (n_rows < 10_000)
    assert steps == 1 or 5_000 <= n_rows / steps < 10_000


@pytest.mark.parametrize("steps", [1, 2, 8, 16, 128])
def test_rungs_include_the_first_epoch(steps):
    last = 100 * steps
    for family in FAMILIES.values():
        rungs = sorted(family.rungs(last, steps))
        assert steps in rungs
        assert rungs[0] < 4 or rungs[0] == steps and isinstance(family, BoostingFamily)
        assert all(b % a == 0 and b // a in (2, 4) for a, b in zip(rungs, rungs[1:], strict=False))
        assert last / rungs[-1] < 4
