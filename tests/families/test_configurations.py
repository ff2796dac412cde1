"""The configuration of any trial is a space of its own, with one point."""

from __future__ import annotations

import json

import numpy as np
import pytest

import automl
from automl.space import as_point, from_point
from tests.support import ROOT

SPACES = sorted(file.stem for file in (ROOT / "search_spaces").glob("*.yaml"))


@pytest.mark.parametrize("name", SPACES)
def test_configuration_of_a_trial_is_a_valid_space(name):
    space, rng = automl.load_space(name), np.random.default_rng(0)
    for _ in range(15):
        configuration = space.sample(rng)
        point = as_point(configuration)
        assert automl.load_space({"space": point}).sample(rng) == configuration
        assert from_point(json.loads(json.dumps(point))) == configuration
        assert from_point(configuration) == configuration  # as in the tags of earlier versions
