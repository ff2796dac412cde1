"""A worker in a thread of the search."""

from __future__ import annotations

import sys
import types

from automl.workers import ThreadWorkers


def test_polars_is_whole_before_the_thread_starts(context, tmp_path, monkeypatch):
    """Scikit-learn takes what `sys.modules` has of polars, also while another thread imports it."""
    (tmp_path / "polars.py").write_text("class DataFrame: ...\nclass Series: ...\n")
    monkeypatch.delitem(sys.modules, "polars", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    ThreadWorkers(context).close()
    assert isinstance(sys.modules["polars"], types.ModuleType)
    assert hasattr(sys.modules["polars"], "DataFrame")
    sys.modules.pop("polars")


def test_worker_starts_without_polars(context, monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    ThreadWorkers(context).close()
