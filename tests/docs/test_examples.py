"""The examples run, and the demo's table has no information from after the departure."""

from __future__ import annotations

import runpy

import pytest

import automl
from tests.support import ROOT
from tests.support.pages import shortened


@pytest.mark.parametrize("example", ["quickstart", "regression"])
def test_example_runs(example, folder, monkeypatch, capsys):
    search = automl.Search
    monkeypatch.setattr(automl, "Search", lambda *args, **settings: search(*args, **shortened(settings)))
    runpy.run_path(str(ROOT / "examples" / f"{example}.py"), run_name="__main__")
    assert "on test rows" in capsys.readouterr().out


def test_flights_name_the_extra_they_need(monkeypatch):
    flights = runpy.run_path(str(ROOT / "examples" / "flights.py"))
    monkeypatch.setitem(flights["load_flights"].__globals__, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pip install '\.\[demo\]'"):
        flights["load_flights"]()


def test_flights_exclude_columns_after_departure():
    flights = runpy.run_path(str(ROOT / "examples" / "flights.py"))
    X, y = flights["load_flights"]()
    assert X.shape == (327_346, 9)
    assert not {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} & set(X)
    assert 0.2 < y.mean() < 0.3
