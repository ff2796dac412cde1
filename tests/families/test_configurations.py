"""The configuration of any trial is a space of its own, with one point."""

from __future__ import annotations

import numpy as np
import pytest

import automl
from tests.support import ROOT

SPACES = sorted(file.stem for file in (ROOT / "search_spaces").glob("*.yaml"))


def as_point(value):
    """Return a configuration with its lists as single choices: a list alone is a choice of its items."""
    if isinstance(value, dict):
        return {name: as_point(one) for name, one in value.items()}
    return {"value": value} if isinstance(value, list) else value


@pytest.mark.parametrize("name", SPACES)
def test_configuration_of_a_trial_is_a_valid_space(name):
    space, rng = automl.load_space(name), np.random.default_rng(0)
    for _ in range(15):
        configuration = space.sample(rng)
        point = automl.load_space({"space": as_point(configuration)})
        assert point.sample(rng) == configuration
