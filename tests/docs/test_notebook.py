"""The notebook runs in a Jupyter kernel, shows progress in place, and its results in place of the settings."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support import ROOT

NOTEBOOK = ROOT / "examples" / "notebook.ipynb"


def test_notebook_is_committed_without_outputs():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.slow
def test_notebook_runs_and_shows_results(folder, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("timeout=20, random_state=0", "n_trials=6, timeout=None, n_jobs=1")
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = {cell.source: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    written = [one for found in outputs.values() for one in found if one.output_type == "stream"]
    assert written == []  # no lines of progress, and no TqdmWarning
    (searched,) = [found for source, found in outputs.items() if "search.fit" in source]
    progress, result = (one.data["text/html"] for one in searched)
    assert "6 of 6 trials: " in progress
    assert ">done<" in progress
    assert 'class="automl-summary"' in result
    assert "Best of each family" in result
    (figure,) = outputs["search.plot.curves(top=5)"]
    assert "image/png" in figure.data
    assert (folder / "report.html").is_file()
